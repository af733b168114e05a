//! The loader on arbitrary bytes: it answers with resources or with faults, and neither panics nor hangs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = provisor::manifest::load_text("fuzz.yaml", bytes);
});
