//! Rust source: module docs, file sizes, names that say nothing, calls that would make results depend on the machine.

mod code;

use self::code::{code_only, without_tests};
use super::edges::PURE;
use super::{File, Findings};

/// Lines, tests apart, above which a file needs a reason.
const LARGE: usize = 800;
/// Lines, tests apart, above which a file fails.
const TOO_LARGE: usize = 1_000;

/// Names of files and folders that say nothing.
const EMPTY_NAMES: [&str; 8] = ["common", "helper", "helpers", "misc", "stuff", "types", "util", "utils"];

/// Methods of `f64` that the standard library hands to the C library, or that round otherwise on another machine.
const FLOAT_METHODS: [&str; 28] = [
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "cos", "cosh", "exp", "exp2", "exp_m1",
    "gamma", "hypot", "ln", "ln_1p", "log", "log10", "log2", "mul_add", "powf", "powi", "sin", "sin_cos", "sinh",
    "tan", "tanh",
];

/// Functions of `f64` whose result for −0 or NaN is not pinned, when named by path.
const FLOAT_PATHS: [&str; 2] = ["max", "min"];

/// What a crate without I/O, clock and environment never says.
const IMPURE: [&str; 12] = [
    "std::time",
    "Instant",
    "SystemTime",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "println!",
    "print!",
    "eprintln!",
    "eprint!",
    "thread_rng",
];

/// Checks every Rust file, the names of all files, and that no path of a machine stands in any.
pub(super) fn check(files: &[File], findings: &mut Findings) {
    for file in files {
        names(file, findings);
        machine_paths(file, findings);
        if file.extension() == "rs" {
            rust(file, findings);
        }
    }
}

fn rust(file: &File, findings: &mut Findings) {
    let path = &file.path;
    if !file.text.starts_with("//!") {
        findings.problem(format!("{path}: opens without `//!`; say what the file does and what it must not do"));
    }
    if is_test(path) {
        return;
    }
    let shipped = without_tests(&file.text);
    match shipped.lines().count() {
        n if n > TOO_LARGE => findings.problem(format!("{path}: {n} lines without tests; {TOO_LARGE} at most, cut it")),
        n if n > LARGE => findings.note(format!("{path}: {n} lines without tests; above {LARGE} needs a reason")),
        _ => {}
    }
    let pure = PURE.iter().any(|name| path.starts_with(&format!("crates/{name}/src/")));
    if pure {
        for (number, line) in code_only(&shipped).lines().enumerate() {
            for call in banned(line, path.ends_with("core/src/numeric.rs")) {
                findings.problem(format!("{path}:{}: `{call}` has no place here", number + 1));
            }
        }
    }
}

/// Whether a file holds nothing but tests.
fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/") || path.contains("/benches/")
}

/// The banned calls of a line of code.
fn banned(line: &str, numeric: bool) -> Vec<String> {
    let mut found: Vec<String> =
        IMPURE.iter().filter(|word| code::find_word(line, word).next().is_some()).map(|w| (*w).to_owned()).collect();
    if numeric {
        return found;
    }
    for method in FLOAT_METHODS {
        let call = format!(".{method}(");
        if line.contains(&call) {
            found.push(call);
        }
    }
    for name in FLOAT_METHODS.iter().chain(&FLOAT_PATHS) {
        for float in ["f64", "f32"] {
            let call = format!("{float}::{name}");
            if code::find_word(line, &call).next().is_some() {
                found.push(call);
            }
        }
    }
    found
}

fn names(file: &File, findings: &mut Findings) {
    for part in file.path.split('/') {
        let stem = part.split('.').next().unwrap_or(part);
        if EMPTY_NAMES.contains(&stem) {
            findings.problem(format!("{}: the name `{stem}` says nothing; name the concept", file.path));
        }
    }
}

/// Paths that stand on one person's machine only.
fn machine_paths(file: &File, findings: &mut Findings) {
    // Spelled in two parts, or this file would be found.
    let folders = ["home", "root", "Users", "work", "opt"].map(|folder| format!("/{folder}/"));
    for (number, line) in file.text.lines().enumerate() {
        for folder in &folders {
            let starts_there = |at: usize| {
                let before = line[..at].chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || "_-./)}]*".contains(c))
            };
            if line.match_indices(folder.as_str()).any(|(at, _)| starts_there(at)) {
                findings.problem(format!("{}:{}: `{folder}…` is a path of one machine", file.path, number + 1));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<String> {
        let mut findings = Findings::default();
        check(&[File::new(path, text)], &mut findings);
        findings.problems
    }

    #[test]
    fn a_direct_float_call_in_a_fit_is_found_by_line() {
        let text = "//! X.\nfn f(x: f64) -> f64 {\n    x.exp() // x.ln()\n}\n";
        assert_eq!(problems("crates/learn/src/a.rs", text), ["crates/learn/src/a.rs:3: `.exp(` has no place here"]);
        assert!(problems("crates/data/src/a.rs", text).is_empty());
        assert!(problems("crates/core/src/numeric.rs", text).is_empty());
    }

    #[test]
    fn paths_of_float_functions_are_found_and_their_namesakes_are_not() {
        let text = "//! X.\nlet a = v.fold(0.0, f64::max);\nlet b = v.fold(0.0, f64::maximum);\nlet c = f64::MAX;\n";
        assert_eq!(problems("crates/trees/src/a.rs", text), ["crates/trees/src/a.rs:2: `f64::max` has no place here"]);
        let numeric = "//! X.\nlet a = numeric::exp(1.0);\nlet b = expand.exponent();\n";
        assert!(problems("crates/trees/src/a.rs", numeric).is_empty());
    }

    #[test]
    fn clocks_and_prints_are_found_outside_of_tests_comments_and_strings() {
        let text = "//! X.\n// println!\nlet s = \"std::fs\";\nlet now = std::time::Instant::now();\n\n\
                    #[cfg(test)]\nmod tests {\n    fn f() {\n        println!(\"{}\", 2f64.powi(2));\n    }\n}\n";
        let found = problems("crates/model/src/a.rs", text);
        let expected = [
            "crates/model/src/a.rs:4: `std::time` has no place here",
            "crates/model/src/a.rs:4: `Instant` has no place here",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn files_without_a_purpose_or_a_name_are_found() {
        assert!(problems("crates/cli/src/a.rs", "use std::fmt;\n")[0].contains("opens without `//!`"));
        assert!(problems("crates/cli/src/utils.rs", "//! X.\n")[0].contains("`utils` says nothing"));
        assert!(problems("crates/cli/src/common/a.rs", "//! X.\n")[0].contains("`common` says nothing"));
    }

    #[test]
    fn long_files_are_noted_then_refused_and_their_tests_do_not_count() {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    // x\n".repeat(2_000));
        let of = |lines: usize| {
            let mut findings = Findings::default();
            let text = format!("//! X.\n{}{tests}", "fn f() {}\n".repeat(lines));
            check(&[File::new("crates/cli/src/a.rs", &text)], &mut findings);
            (findings.problems.len(), findings.notes.len())
        };
        assert_eq!([of(700), of(900), of(1_100)], [(0, 0), (0, 1), (1, 0)]);
    }

    #[test]
    fn a_path_of_one_machine_is_found_and_a_part_of_an_address_is_not() {
        let path = format!("see /{}/ada/data.csv\n", "home");
        assert!(problems("docs/src/a.md", &path)[0].contains("is a path of one machine"));
        let address = format!("see https://example.com/{}/ada\n", "home");
        assert!(problems("docs/src/a.md", &address).is_empty());
    }
}
