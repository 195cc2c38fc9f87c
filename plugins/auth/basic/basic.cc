/*
 * Lets requests through that carry a known user's name and secret (HTTP Basic, RFC 7617), for senders that can do no
 * better. In C++20, to show that a stage may be.
 *
 * What leaves a function of the table is a verdict, never an exception: whatever could throw is not used.
 */
#include <array>
#include <optional>
#include <string_view>

#include <sluice/stage.h>

namespace
{

struct config {
	sluice_strings users;
};

constexpr unsigned char no_digit = 0xff;

constexpr auto base64_values = [] {
	constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	std::array<unsigned char, 256> values{};
	values.fill(no_digit);
	for (std::size_t i = 0; i < digits.size(); i++)
		values[static_cast<unsigned char>(digits[i])] = static_cast<unsigned char>(i);
	return values;
}();

/* RFC 4648, padded, with no bit to spare: so that no two texts say the same. `out` has room for 3/4 of the text. */
std::optional<std::string_view> decode_base64(std::string_view text, char *out) noexcept
{
	if (text.empty() || text.size() % 4 != 0)
		return std::nullopt;
	const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
	std::size_t size = 0;
	unsigned bits = 0;
	for (std::size_t i = 0; i < text.size() - padding; i++) {
		unsigned value = base64_values[static_cast<unsigned char>(text[i])];
		if (value == no_digit)
			return std::nullopt;
		bits = bits << 6 | value;
		if (i % 4 != 0)
			out[size++] = static_cast<char>(bits >> (6 - 2 * (i % 4)));
	}
	unsigned spare = padding == 2 ? 0xf : padding == 1 ? 0x3 : 0;
	if (bits & spare)
		return std::nullopt;
	return std::string_view(out, size);
}

/* Takes as long for nearly right credentials as for wrong ones. */
bool same(std::string_view given, std::string_view known) noexcept
{
	unsigned difference = given.size() != known.size();
	for (std::size_t i = 0; i < given.size(); i++)
		difference |= static_cast<unsigned char>(given[i] ^ known[i % known.size()]);
	return difference == 0;
}

/* What follows "Basic " in the header, or nothing. */
std::string_view get_credentials(const sluice_event *event) noexcept
{
	constexpr std::string_view scheme = "Basic ";
	sluice_bytes header = sluice_get_header(event, "Authorization");
	if (header.size <= scheme.size() || strncasecmp(header.data, scheme.data(), scheme.size()) != 0)
		return {};
	return std::string_view(header.data, header.size).substr(scheme.size());
}

bool check(const void *options, sluice_error *error) noexcept
{
	const auto *config = static_cast<const struct config *>(options);
	for (std::size_t i = 0; i < config->users.count; i++) {
		const std::string_view user = config->users.items[i];
		const std::size_t colon = user.find(':');
		if (colon == 0 || colon == user.npos || colon + 1 == user.size())
			return sluice_error_set(error, "users: item %zu: expected NAME:SECRET", i + 1);
	}
	return true;
}

sluice_verdict process(sluice_stage *stage, sluice_event *event) noexcept
{
	const auto *config = static_cast<const struct config *>(stage->config);
	const std::string_view text = get_credentials(event);
	auto *room = static_cast<char *>(sluice_alloc(event, text.size() + 1));
	if (!room)
		return sluice_retry(event, 0, "the bound on bytes in flight is reached");
	auto given = decode_base64(text, room);
	bool known = false;
	for (std::size_t i = 0; given && i < config->users.count; i++)
		known |= same(*given, config->users.items[i]);
	if (!known)
		return sluice_unauthorized(event, "Basic realm=\"webhooks\", charset=\"UTF-8\"",
		                           "the user or the secret is missing or wrong");
	event->credential = {given->data(), given->find(':')};
	return SLUICE_PASS;
}

constexpr sluice_option options[] = {
	SLUICE_OPTION_STRINGS(config, users, .name = "users", .min = 1, .max = 64,
                              .help = "the users accepted, each as NAME:SECRET",
                              .flags = SLUICE_OPTION_REQUIRED | SLUICE_OPTION_SECRET),
	SLUICE_OPTION_END,
};

} // namespace

static const struct sluice_auth_ops ops = {.process = process};

SLUICE_STAGE(auth, ops, .name = "basic", .version = "1.0.0",
             .summary = "accepts requests that carry a known user's name and secret", .options = options,
             .config_size = sizeof(config), .check = check);
