//! The parser of saved plans on arbitrary bytes: a plan file comes from a pipeline, and may be anything.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = provisor::cli::saved::parse(bytes);
});
