//! The files of `deploy/`: what they ask of the program is there, and they agree with each other. That systemd and Kubernetes
//! accept them is for those to say; where systemd is, it is asked.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Place;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(name)
}

/// The lines of a file that mean something: no comments, and what is continued with `\` on one line.
fn lines(name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(path(name)).unwrap().replace("\\\n", " ");
    text.lines().filter(|line| !line.trim_start().starts_with('#')).map(str::to_owned).collect()
}

/// The words of a line, whatever quotes or separates them.
fn words(line: &str) -> Vec<&str> {
    let is_between = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '[' | ']' | ',' | '(' | ')' | '`' | '$');
    line.split(is_between).filter(|word| !word.is_empty()).collect()
}

/// The calls of the program: in a unit, in lists of arguments, and in the commands of the guide.
fn calls() -> Vec<Vec<String>> {
    const BEFORE: [&str; 5] = ["tabwright", "/usr/local/bin/tabwright", "command:", "args:", "server"];
    let mut calls = Vec::new();
    for file in ["tabwright.service", "compose.yaml", "kubernetes.yaml", "README.md"] {
        for line in lines(file) {
            let words = words(&line);
            let words: Vec<&str> = words.iter().map(|w| w.strip_prefix("ExecStart=").unwrap_or(w)).collect();
            let is_command = |word: &str| matches!(word, "serve" | "models" | "token");
            let Some(at) = words.windows(2).position(|pair| BEFORE.contains(&pair[0]) && is_command(pair[1])) else {
                continue;
            };
            calls.push(words[at + 1..].iter().map(|w| (*w).to_owned()).collect());
        }
    }
    calls
}

/// Each flag of a call is one of its command.
fn check_flags(call: &[String]) {
    let place = Place::new();
    let command: Vec<&str> = match call[0].as_str() {
        "serve" => vec!["serve"],
        _ => call[..2].iter().map(String::as_str).collect(),
    };
    let help = place.run_with(&[&command[..], &["--help"]].concat(), b"").ok().stdout;
    let known: BTreeSet<&str> = words(&help).into_iter().filter(|word| word.starts_with("--")).collect();
    for flag in call.iter().filter(|word| word.starts_with("--")) {
        assert!(known.contains(flag.as_str()), "`{}` has no flag {flag}", command.join(" "));
    }
}

#[test]
fn what_the_files_call_is_there() {
    let calls = calls();
    assert_eq!(
        calls.iter().filter(|call| call[0] == "serve").count(),
        4,
        "unit, Compose, Kubernetes, guide: {calls:?}"
    );
    assert!(calls.iter().filter(|call| call[0] == "token").count() >= 3, "{calls:?}");
    assert!(calls.iter().filter(|call| call[0] == "models").count() >= 3, "{calls:?}");
    for call in calls.iter().filter(|call| call[0] != "serve" && call[1] != "promote") {
        check_flags(call);
    }
}

// Needs `serve`.
#[test]
fn what_the_files_serve_with_is_there() {
    for call in calls().iter().filter(|call| call[0] == "serve") {
        check_flags(call);
    }
    check_flags(&["serve", "--tls-certificate", "--tls-key"].map(str::to_owned));
}

/// Variables of the program in the files that are neither the home nor set a key of the configuration.
fn unknown_variables() -> Vec<String> {
    let keys = Place::new().run("docs configuration").ok().stdout;
    let known: BTreeSet<&str> = words(&keys).into_iter().filter(|word| word.starts_with("TABWRIGHT_")).collect();
    let mut unknown = BTreeSet::new();
    for file in ["tabwright.service", "compose.yaml", "kubernetes.yaml", "Dockerfile", "README.md"] {
        let text = std::fs::read_to_string(path(file)).unwrap();
        for word in text.split(|c: char| !c.is_ascii_uppercase() && c != '_').filter(|w| w.starts_with("TABWRIGHT_")) {
            if word != "TABWRIGHT_HOME" && !known.contains(word) {
                unknown.insert(word.to_owned());
            }
        }
    }
    unknown.into_iter().collect()
}

#[test]
fn variables_of_the_files_set_keys() {
    assert_eq!(unknown_variables(), [""; 0]);
}

#[test]
fn the_files_agree_with_each_other() {
    let [image, compose, cluster, unit] =
        ["Dockerfile", "compose.yaml", "kubernetes.yaml", "tabwright.service"].map(|name| lines(name).join("\n"));
    for (file, text, parts) in [
        ("Dockerfile", &image, &["USER 65532:65532", "EXPOSE 8080", "TABWRIGHT_HOME=/var/lib/tabwright"][..]),
        ("compose.yaml", &compose, &["user: \"65532:65532\"", "read_only: true", "cap_drop: [ALL]", ":8080:8080\""]),
        (
            "kubernetes.yaml",
            &cluster,
            &[
                "runAsNonRoot: true",
                "runAsUser: 65532",
                "readOnlyRootFilesystem: true",
                "allowPrivilegeEscalation: false",
                "drop: [\"ALL\"]",
                "containerPort: 8080",
                "path: /health/live",
                "path: /health/ready",
                "mountPath: /var/lib/tabwright",
            ],
        ),
        (
            "tabwright.service",
            &unit,
            &["DynamicUser=yes", "ProtectSystem=strict", "ExecReload=/bin/kill -HUP $MAINPID"],
        ),
    ] {
        for part in parts {
            assert!(text.contains(part), "{file} has no `{part}`");
        }
    }
    let version = concat!("tabwright:", env!("CARGO_PKG_VERSION"), "\n");
    assert!(compose.contains(version) && cluster.contains(version), "the image of this version is named");
    // Every object of the cluster is one of this program, by its label.
    let objects: Vec<&str> = cluster.split("\n---\n").collect();
    assert_eq!(objects.len(), 7);
    for object in objects {
        assert!(object.contains("\n  name: tabwright\n"), "{object}");
        assert!(object.contains("app.kubernetes.io/name: tabwright"), "{object}");
        assert!(!object.contains('\t') && !object.contains("replicas: "), "{object}");
    }
    // The pod is given longer than the server waits before it stops listening.
    let number = |text: &str, key: &str| {
        let (_, rest) = text.split_once(key).unwrap();
        rest.trim_start_matches(['"', ' ']).split(|c: char| !c.is_ascii_digit()).next().unwrap().parse::<u32>().unwrap()
    };
    let delay = number(&cluster, "TABWRIGHT_SERVE_DRAIN_DELAY:");
    assert!(number(&cluster, "terminationGracePeriodSeconds:") >= delay + 30);
    let (_, ready) = cluster.split_once("readinessProbe:").unwrap();
    assert!(delay > number(ready, "periodSeconds:") * number(ready, "failureThreshold:"), "the probe sees it in time");
}

#[test]
fn systemd_accepts_the_unit() {
    let place = Place::new();
    // The program of the unit is not where it will be; what is there is the one under test.
    let unit = std::fs::read_to_string(path("tabwright.service")).unwrap();
    let unit = unit.replace("/usr/local/bin/tabwright", env!("CARGO_BIN_EXE_tabwright"));
    place.write("tabwright.service", unit);
    let run = |words: &[&str]| {
        let mut command = Command::new("systemd-analyze");
        command.args(words).arg(place.path("tabwright.service")).env("SYSTEMD_PAGER", "").output()
    };
    // Where there is no systemd, there is nobody to ask.
    let Ok(output) = run(&["verify"]) else { return };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !said.contains("tabwright.service:"), "{said}");
    // From 0 (closed) to 10 (open); versions of systemd differ a little.
    let output = run(&["security", "--offline=yes", "--threshold=25"]).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
