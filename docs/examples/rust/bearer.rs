//! auth/bearer: accepts requests that carry one of a few fixed bearer tokens (RFC 6750). A stage in Rust, with nothing but the
//! standard library; what it uses of the headers stands here as Rust:
//!
//!     rustc --edition 2021 --crate-type cdylib -O -C panic=abort -o bearer.so bearer.rs
//!
//! The core only ever grows its structs at their ends, and a stage only sees pointers to them: each is declared here as far as
//! this stage reads it. The tables that a stage exports are whole.

use std::ffi::CStr;
use std::mem::size_of;
use std::os::raw::{c_char, c_int, c_void};
use std::ptr::null;
use std::slice;

// <sluice/event.h>

#[repr(C)]
#[derive(Clone, Copy)]
struct Bytes {
    data: *const u8,
    size: usize,
}

impl Bytes {
    /// What is absent is empty.
    fn get(&self) -> &[u8] {
        if self.data.is_null() {
            return &[];
        }
        unsafe { slice::from_raw_parts(self.data, self.size) }
    }
}

#[repr(C)]
struct Header {
    name: Bytes,
    value: Bytes,
}

const PASS: c_int = 0;
const REJECT: c_int = 3;
const RETRY: c_int = 4;

#[repr(C)]
struct Event {
    host: *const Host,
    request_id: Bytes,
    traceparent: Bytes,
    method: Bytes,
    scheme: Bytes,
    authority: Bytes,
    path: Bytes,
    query: Bytes,
    public_url: Bytes,
    client_address: Bytes,
    body: Bytes,
    headers: *const Header,
    header_count: usize,
    received_at_ns: i64,
    deadline_ns: i64,
    attempt: u32,
    acknowledged: bool,
    part: u32,
    parts: u32,
    credential: Bytes,
}

// <sluice/host.h>

#[repr(C)]
struct Host {
    size: u32,
    now_ns: extern "C" fn() -> i64,
    wall_ns: extern "C" fn() -> i64,
    alloc: extern "C" fn(*mut Event, usize) -> *mut c_void,
    digest: extern "C" fn(*mut Event) -> *const u8,
    explain: extern "C" fn(*mut Event, c_int, i64, *const c_char, usize),
    conflict: extern "C" fn(*mut Event, *const c_char, usize),
    set_header: extern "C" fn(*mut Event, *const c_char, *const c_char) -> bool,
}

impl Event {
    fn host(&self) -> &Host {
        unsafe { &*self.host }
    }

    /// The first value of the header, whose name is compared without regard to case.
    fn header(&self, name: &str) -> &[u8] {
        let headers = match self.header_count {
            0 => &[],
            count => unsafe { slice::from_raw_parts(self.headers, count) },
        };
        headers
            .iter()
            .find(|header| header.name.get().eq_ignore_ascii_case(name.as_bytes()))
            .map_or(&[], |header| header.value.get())
    }

    /// A copy in the event's memory; None at the bound on bytes in flight.
    fn copy(&mut self, text: &str) -> Option<Bytes> {
        let copy = (self.host().alloc)(self, text.len()) as *mut u8;
        if copy.is_null() {
            return None;
        }
        unsafe { copy.copy_from_nonoverlapping(text.as_ptr(), text.len()) };
        Some(Bytes { data: copy, size: text.len() })
    }

    /// Says why, without a va_list: a text and its length.
    fn explain(&mut self, status: c_int, text: &str) {
        (self.host().explain)(self, status, 0, text.as_ptr() as *const c_char, text.len());
    }

    fn unauthorized(&mut self, text: &str) -> c_int {
        let (name, challenge) = (b"WWW-Authenticate\0", b"Bearer\0");
        (self.host().set_header)(self, name.as_ptr() as *const c_char, challenge.as_ptr() as *const c_char);
        self.explain(401, text);
        REJECT
    }

    fn retry(&mut self, text: &str) -> c_int {
        self.explain(503, text);
        RETRY
    }
}

// <sluice/error.h>, <sluice/option.h>, <sluice/stage.h>

#[repr(C)]
struct Error {
    text: [u8; 1024],
}

impl Error {
    /// The first error wins.
    fn set(&mut self, text: &str) -> bool {
        if self.text[0] == 0 {
            let size = text.len().min(self.text.len() - 1);
            self.text[..size].copy_from_slice(&text.as_bytes()[..size]);
            self.text[size] = 0;
        }
        false
    }
}

#[repr(C)]
struct Strings {
    count: usize,
    items: *const *const c_char,
}

impl Strings {
    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.count).map(move |i| unsafe { CStr::from_ptr(*self.items.add(i)).to_bytes() })
    }
}

const TYPE_END: c_int = 0;
const TYPE_STRINGS: c_int = 8;
const REQUIRED: u32 = 1 << 0;
const SECRET: u32 = 1 << 1;

#[repr(C)]
struct Setting {
    kind: c_int,
    offset: usize,
    name: *const c_char,
    fallback: *const c_char,
    min: i64,
    max: i64,
    choices: *const *const c_char,
    unit: *const c_char,
    help: *const c_char,
    flags: u32,
}

#[repr(C)]
struct Stage {
    host: *const Host,
    ops: *const StageOps,
    config: *const Config,
}

#[repr(C)]
struct AuthOps {
    process: unsafe extern "C" fn(*mut Stage, *mut Event) -> c_int,
}

type Function = Option<unsafe extern "C" fn()>;

#[repr(C)]
pub struct StageOps {
    abi_major: u32,
    abi_minor: u32,
    size: u32,
    option_size: u32,
    kind: c_int,
    kind_size: u32,
    auth: *const AuthOps,
    name: *const c_char,
    version: *const c_char,
    summary: *const c_char,
    options: *const Setting,
    config_size: usize,
    spans: *const *const c_char,
    extensions: *const c_void,
    check: Option<unsafe extern "C" fn(*const Config, *mut Error) -> bool>,
    self_test: Function,
    create: Function,
    settle: Function,
    tick: Function,
    observe: Function,
    drain: Function,
    destroy: Function,
}

/// Tables do not change, so every thread may read them.
unsafe impl Sync for StageOps {}
unsafe impl Sync for Setting {}

// The stage itself.

#[repr(C)]
pub struct Config {
    tokens: Strings,
}

/// Takes as long for a nearly right token as for a wrong one.
fn same(given: &[u8], token: &[u8]) -> bool {
    let differences = given.iter().enumerate().fold(0, |sum, (i, byte)| sum | (byte ^ token[i % token.len()]));
    differences == 0 && given.len() == token.len()
}

unsafe extern "C" fn check(config: *const Config, error: *mut Error) -> bool {
    match (*config).tokens.iter().position(|token| token.is_empty()) {
        Some(i) => (*error).set(&format!("tokens: item {}: expected a token, got an empty text", i + 1)),
        None => true,
    }
}

unsafe extern "C" fn process(stage: *mut Stage, event: *mut Event) -> c_int {
    let (config, event) = (&*(*stage).config, &mut *event);
    let mut number = 0;
    if let Some((scheme, given)) = Some(event.header("Authorization")).filter(|value| value.len() > 7).map(|value| value.split_at(7)) {
        for (i, token) in config.tokens.iter().enumerate() {
            if same(given, token) && scheme.eq_ignore_ascii_case(b"Bearer ") {
                number = i + 1;
            }
        }
    }
    if number == 0 {
        return event.unauthorized("the bearer token is missing or wrong");
    }
    match event.copy(&format!("token-{}", number)) {
        Some(label) => event.credential = label,
        None => return event.retry("the bound on bytes in flight is reached"),
    }
    PASS
}

macro_rules! text {
    ($text:expr) => {
        concat!($text, "\0").as_ptr() as *const c_char
    };
}

static OPTIONS: [Setting; 2] = [
    Setting {
        kind: TYPE_STRINGS,
        offset: 0, // of Config.tokens
        name: text!("tokens"),
        fallback: null(),
        min: 1,
        max: 64,
        choices: null(),
        unit: null(),
        help: text!("the tokens accepted"),
        flags: REQUIRED | SECRET,
    },
    Setting {
        kind: TYPE_END,
        offset: 0,
        name: null(),
        fallback: null(),
        min: 0,
        max: 0,
        choices: null(),
        unit: null(),
        help: null(),
        flags: 0,
    },
];

static AUTH: AuthOps = AuthOps { process };

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static sluice_stage: StageOps = StageOps {
    abi_major: 1,
    abi_minor: 0,
    size: size_of::<StageOps>() as u32,
    option_size: size_of::<Setting>() as u32,
    kind: 0, // auth
    kind_size: size_of::<AuthOps>() as u32,
    auth: &AUTH,
    name: text!("bearer"),
    version: text!("1.0.0"),
    summary: text!("accepts requests that carry a fixed bearer token"),
    options: OPTIONS.as_ptr(),
    config_size: size_of::<Config>(),
    spans: null(),
    extensions: null(),
    check: Some(check),
    self_test: None,
    create: None,
    settle: None,
    tick: None,
    observe: None,
    drain: None,
    destroy: None,
};
