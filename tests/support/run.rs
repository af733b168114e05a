//! One run of the program, as scripts see it.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test file uses its part, and fails where it cannot go on"
)]

use std::process::Output;

use serde_json::{Value, json};

/// One finished run of the program.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("no JSON:\n{}\n{}", self.out, self.err))
    }

    /// Fails, with all that was printed, unless the exit code is `code`.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// The change of `Kind/name`.
    #[track_caller]
    pub(crate) fn change(&self, id: &str) -> Value {
        let (kind, name) = id.split_once('/').unwrap();
        let document = self.json();
        let changes = document["changes"].as_array().unwrap_or_else(|| panic!("{document:#}"));
        let found = changes.iter().find(|one| one["resource"] == json!({"kind": kind, "name": name}));
        found.unwrap_or_else(|| panic!("`{id}` is not in\n{document:#}")).clone()
    }

    /// The paths of a change's fields.
    #[track_caller]
    pub(crate) fn paths(&self, id: &str) -> Vec<String> {
        let fields = self.change(id)["fields"].as_array().unwrap().clone();
        fields.iter().map(|field| field["path"].as_str().unwrap().to_owned()).collect()
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
