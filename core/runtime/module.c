/*
 * A stage's file is copied into a memory file before it is opened, for three reasons: the dynamic linker returns the
 * old code when a path it has open is opened again; a file that is overwritten in place would change under the running
 * code; and the hash in a report must be that of the bytes that run.
 */
#include "runtime/module.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "runtime/loader.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* Linux 6.3: asks for what vm.memfd_noexec=1 no longer gives by default */
#endif

enum { FD_PATH_SIZE = 32, ELF_BITS = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32 };

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
enum { ELF_ORDER = ELFDATA2LSB };
#else
enum { ELF_ORDER = ELFDATA2MSB };
#endif

struct module {
	int fd; /* of the copy; its number is the name by which the dynamic linker knows it */
	void *handle;
};

static void copy_path(const struct module *module, char path[FD_PATH_SIZE])
{
	(void)snprintf(path, FD_PATH_SIZE, "/proc/self/fd/%d", module->fd);
}

static bool refuse_file(struct sluice_error *error)
{
	if (errno == ENOENT)
		return sluice_error_set(error, "does not exist: build it, or correct the path");
	return sluice_error_set(error, "cannot be read: %s", strerror(errno));
}

/* The file's descriptor, or -1. */
static int file_open(const char *path, size_t *size_out, struct sluice_error *error)
{
	/* Not blocking: a FIFO would wait for its writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	if (fd < 0 || fstat(fd, &status) < 0) {
		refuse_file(error);
	} else if (!S_ISREG(status.st_mode)) {
		sluice_error_set(error, "is %s: name a stage's .so file",
		                 S_ISDIR(status.st_mode) ? "a directory" : "not a regular file");
	} else {
		*size_out = (size_t)status.st_size;
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

/* An empty memory file, called like the stage in /proc/PID/maps. */
void module_name(const char *path, char name[MODULE_NAME_SIZE])
{
	const char *file = strrchr(path, '/'), *folder = file;
	while (folder && folder > path && folder[-1] != '/')
		folder--;
	(void)snprintf(name, MODULE_NAME_SIZE, "%.*s%s%s", file ? (int)(file - folder) : 0, file ? folder : "",
	               file ? "-" : "", file ? file + 1 : path);
}

static int memory_file(const char *path)
{
	char name[MODULE_NAME_SIZE];
	module_name(path, name);
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_EXEC);
	if (fd < 0 && errno == EINVAL) /* an older kernel */
		fd = memfd_create(name, MFD_CLOEXEC);
	return fd;
}

static bool copy_bytes(int from, int to, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t count = sendfile(to, from, NULL, size - done);
		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return false;
		done += (size_t)count;
	}
	return true;
}

static bool inside(uint64_t offset, uint64_t length, size_t size)
{
	return offset <= size && length <= size - offset;
}

/* The dynamic linker trusts what a file says of itself and dies on one that is cut short, so that is looked at first.
 * Returns what is wrong, or NULL. */
static const char *find_flaw(const uint8_t *bytes, size_t size)
{
	if (size < SELFMAG || memcmp(bytes, ELFMAG, SELFMAG) != 0)
		return "is not a shared object: build the stage and name its .so file";
	static const char cut[] = "is truncated: build or copy it again";
	ElfW(Ehdr) head;
	if (size < sizeof(head))
		return cut;
	memcpy(&head, bytes, sizeof(head));
	if (head.e_ident[EI_CLASS] != ELF_BITS || head.e_ident[EI_DATA] != ELF_ORDER)
		return "is built for another architecture: build it for this one";
	if (head.e_type != ET_DYN)
		return "is not a shared object: link it with -shared";
	if (head.e_phentsize != sizeof(ElfW(Phdr)) ||
	    !inside(head.e_phoff, (uint64_t)head.e_phnum * sizeof(ElfW(Phdr)), size) ||
	    !inside(head.e_shoff, (uint64_t)head.e_shnum * head.e_shentsize, size))
		return cut;
	for (size_t i = 0; i < head.e_phnum; i++) {
		ElfW(Phdr) part;
		memcpy(&part, bytes + head.e_phoff + i * sizeof(part), sizeof(part));
		if (!inside(part.p_offset, part.p_filesz, size))
			return cut;
	}
	return NULL;
}

static bool inspect_copy(int fd, size_t size, char sha256[DIGEST_HEX_SIZE], struct sluice_error *error)
{
	if (size == 0)
		return sluice_error_set(error, "is empty: build or copy it again");
	void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return sluice_error_set(error, "cannot be inspected: %s", strerror(errno));
	const char *flaw = find_flaw(bytes, size);
	if (!flaw) {
		uint8_t digest[SLUICE_DIGEST_SIZE];
		digest_bytes(bytes, size, digest);
		digest_hex(digest, sha256);
	}
	munmap(bytes, size);
	return flaw ? sluice_error_set(error, "%s", flaw) : true;
}

/* The descriptor of a copy that has been looked at, or -1. */
static int make_copy(const char *path, char sha256[DIGEST_HEX_SIZE], struct sluice_error *error)
{
	size_t size = 0;
	int source = file_open(path, &size, error);
	if (source < 0)
		return -1;
	int copy = memory_file(path);
	if (copy < 0)
		sluice_error_set(error, "cannot be copied to memory: %s", strerror(errno));
	else if (!copy_bytes(source, copy, size))
		sluice_error_set(error, "is incomplete: wait until it is written, then try again");
	else if (inspect_copy(copy, size, sha256, error))
		goto copied;
	if (copy >= 0)
		close(copy);
	copy = -1;
copied:
	close(source);
	return copy;
}

/* What dlopen() said, without the name of the copy in front. */
static const char *link_error(const char *copy)
{
	const char *text = dlerror();
	size_t length = strlen(copy);
	if (strncmp(text, copy, length) == 0 && strncmp(text + length, ": ", 2) == 0)
		return text + length + 2;
	return text;
}

struct module *module_open(const char *path, char sha256[DIGEST_HEX_SIZE], struct loader_pin *pin,
                           struct sluice_error *error)
{
	struct module module = {.fd = make_copy(path, sha256, error)};
	if (module.fd < 0)
		return NULL;
	if (pin->sha256 && strcmp(pin->sha256, sha256) != 0) {
		pin->refused = true;
		sluice_error_set(
			error,
			"has SHA-256 %s, but is pinned to %s: restore that file, or change the pin if you trust this one",
			sha256, pin->sha256);
		close(module.fd);
		return NULL;
	}
	char copy[FD_PATH_SIZE];
	copy_path(&module, copy);
	module.handle = dlopen(copy, RTLD_NOW | RTLD_LOCAL);
	if (!module.handle) {
		sluice_error_set(error, "cannot be linked: %s: install the missing library, and link the stage with it",
		                 link_error(copy));
		close(module.fd);
		return NULL;
	}
	struct module *opened = must_alloc(sizeof(*opened));
	*opened = module;
	return opened;
}

void module_close(struct module *module)
{
	dlclose(module->handle);
	/* Code that asked to stay (C++ does, at times) is still known by the number of the descriptor, which must then
	 * not come to name another file. */
	char copy[FD_PATH_SIZE];
	copy_path(module, copy);
	void *resident = dlopen(copy, RTLD_NOW | RTLD_NOLOAD);
	if (resident)
		dlclose(resident);
	else
		close(module->fd);
	free(module);
}

const void *module_symbol(const struct module *module, const char *name, size_t *size_out)
{
	const void *address = dlsym(module->handle, name);
	Dl_info where;
	const ElfW(Sym) *symbol = NULL;
	if (!address || !dladdr1(address, &where, (void **)&symbol, RTLD_DL_SYMENT) || !symbol ||
	    ELF64_ST_TYPE(symbol->st_info) != STT_OBJECT)
		return NULL;
	*size_out = symbol->st_size;
	return address;
}
