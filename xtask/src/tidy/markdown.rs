//! Markdown: relative links and their anchors resolve, the guide's summary lists every page, the changelog has its
//! headings.

use std::path::Path;

use super::{File, Findings};

/// Checks every Markdown file, and the guide as a whole.
pub(super) fn check(root: &Path, files: &[File], findings: &mut Findings) {
    let exists = |path: &str| files.iter().any(|f| f.path == path) || root.join(path).exists();
    for file in files.iter().filter(|f| f.extension() == "md") {
        links(file, files, &exists, findings);
    }
    summary(files, findings);
    match files.iter().find(|f| f.path == "CHANGELOG.md") {
        None => findings.problem("CHANGELOG.md is missing"),
        Some(file) if !file.text.lines().any(|l| l.starts_with("## [")) => {
            findings.problem("CHANGELOG.md has neither an `## [Unreleased]` heading nor one of a version");
        }
        Some(_) => {}
    }
}

fn links(file: &File, files: &[File], exists: &dyn Fn(&str) -> bool, findings: &mut Findings) {
    for (number, target) in link_targets(&file.text) {
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
        let resolved = if path.is_empty() { Some(file.path.clone()) } else { resolve(&file.path, path) };
        let place = format!("{}:{number}", file.path);
        let Some(resolved) = resolved.filter(|r| exists(r)) else {
            findings.problem(format!("{place}: the link `{target}` leads nowhere"));
            continue;
        };
        let page = files.iter().find(|f| f.path == resolved && f.extension() == "md");
        if !anchor.is_empty() && page.is_some_and(|p| !anchors(&p.text).iter().any(|a| a == anchor)) {
            findings.problem(format!("{place}: `{resolved}` has no heading `#{anchor}`"));
        }
    }
}

/// The lines outside of fenced blocks, numbered from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().map(|(i, l)| (i + 1, l)).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The targets of `[text](target)`, with their lines; code is left out.
fn link_targets(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        let plain: String = line.split('`').enumerate().map(|(i, part)| if i % 2 == 0 { part } else { "`" }).collect();
        for (at, _) in plain.match_indices("](") {
            if let Some(end) = plain[at + 2..].find(')') {
                let target = plain[at + 2..at + 2 + end].split(' ').next().unwrap_or_default();
                found.push((number, target.to_owned()));
            }
        }
    }
    found
}

/// A relative path seen from a file; nothing if it leaves the checkout.
fn resolve(from: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// The anchors that headings get: lower case, words joined by `-`, other signs dropped.
fn anchors(text: &str) -> Vec<String> {
    let heading = |line: &str| {
        let title = line.trim_start_matches('#');
        let slug = |c: char| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '_' || c == '-' => Some(c),
            _ => None,
        };
        title.trim().to_lowercase().chars().filter_map(slug).collect()
    };
    prose(text).filter(|(_, l)| l.starts_with('#')).map(|(_, l)| heading(l)).collect()
}

fn summary(files: &[File], findings: &mut Findings) {
    const GUIDE: &str = "docs/src/";
    let Some(summary) = files.iter().find(|f| f.path == "docs/src/SUMMARY.md") else {
        findings.problem("docs/src/SUMMARY.md is missing");
        return;
    };
    let listed: Vec<String> =
        link_targets(&summary.text).into_iter().filter_map(|(_, t)| resolve(&summary.path, &t)).collect();
    for page in files.iter().filter(|f| f.path.starts_with(GUIDE) && f.extension() == "md") {
        if page.path != summary.path && !listed.contains(&page.path) {
            findings.problem(format!("docs/src/SUMMARY.md does not list `{}`", &page.path[GUIDE.len()..]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(extra: &[(&str, &str)]) -> Vec<String> {
        let mut files = vec![
            File::new("CHANGELOG.md", "## [Unreleased]\n"),
            File::new("docs/src/SUMMARY.md", "- [A](a.md)\n"),
            File::new("docs/src/a.md", "# A page\n\n## Its `second` part\n"),
        ];
        for (path, text) in extra {
            files.retain(|f| f.path != *path);
            files.push(File::new(path, text));
        }
        let mut findings = Findings::default();
        check(Path::new("nowhere"), &files, &mut findings);
        findings.problems
    }

    #[test]
    fn links_and_anchors_resolve() {
        let text = "[a](docs/src/a.md#its-second-part) [b](https://example.com/x) `[c](no.md)`\n```\n[d](no.md)\n```\n";
        assert!(problems(&[("README.md", text)]).is_empty());
        let found = problems(&[("README.md", "x\n[a](docs/a.md)\n[b](docs/src/a.md#third)\n[c](../up.md)\n")]);
        assert_eq!(
            found,
            [
                "README.md:2: the link `docs/a.md` leads nowhere",
                "README.md:3: `docs/src/a.md` has no heading `#third`",
                "README.md:4: the link `../up.md` leads nowhere",
            ]
        );
    }

    #[test]
    fn a_page_that_the_summary_lacks_is_found() {
        assert_eq!(problems(&[("docs/src/b/c.md", "# C\n")]), ["docs/src/SUMMARY.md does not list `b/c.md`"]);
        assert!(problems(&[("CHANGELOG.md", "# Changes\n")])[0].contains("neither"));
    }
}
