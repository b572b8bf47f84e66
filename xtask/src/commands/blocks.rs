//! Finds the fenced blocks of a Markdown file that are commands, and what their fence says of them.
//!
//! ```` ```sh ```` runs as it is; ```` ```console ```` runs the lines after `$ `; `exit=N` expects another exit code;
//! `skip="reason"` leaves it out; any block with `file=NAME` is written to that file.

use crate::process::Result;

/// What to do with a block.
#[derive(Debug, PartialEq)]
pub(super) enum Action {
    /// Run it with bash; it must end with this code.
    Run { exit: i32 },
    /// Write it to a file of the folder.
    Write { path: String },
    /// List it as left out.
    LeaveOut { reason: String },
}

/// A block: where its fence stands, and its text, without prompts and expected output.
#[derive(Debug, PartialEq)]
pub(super) struct Block {
    pub(super) line: usize,
    pub(super) text: String,
    pub(super) action: Action,
}

/// Beginnings of the commands that a block may leave out: they build, install or fetch.
const MAY_BE_LEFT_OUT: [&str; 5] = ["cargo xtask ", "cargo install ", "cargo doc ", "git clone ", "cd "];

/// The command that runs this code: a block that holds nothing else is left out by itself.
const RUNNER: &str = "cargo xtask test";

/// The blocks of a file, in order. The message of an error starts with the line.
///
/// # Errors
/// If a fence says something unknown, is not closed, or leaves out what could run.
pub(super) fn parse(markdown: &str) -> Result<Vec<Block>> {
    let mut found = Vec::new();
    let mut lines = markdown.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        let ticks = line.trim_start().chars().take_while(|c| *c == '`').count();
        if ticks < 3 {
            continue;
        }
        let (line, fence, info) = (number + 1, "`".repeat(ticks), line.trim_start()[ticks..].trim());
        let mut text = String::new();
        loop {
            let Some((_, inner)) = lines.next() else { return Err(format!("{line}: the block is not closed")) };
            if inner.trim_start() == fence {
                break;
            }
            text.push_str(inner.get(indent..).unwrap_or(inner.trim_start()));
            text.push('\n');
        }
        found.extend(block(line, info, text).map_err(|e| format!("{line}: {e}"))?);
    }
    Ok(found)
}

fn block(line: usize, info: &str, text: String) -> Result<Option<Block>> {
    let language = info.split(' ').next().unwrap_or_default();
    let is_command = matches!(language, "sh" | "bash" | "shell" | "console");
    let settings = settings(info[language.len()..].trim())?;
    if let Some((_, path)) = settings.iter().find(|(key, _)| key == "file") {
        if path.is_empty() || path.starts_with('/') || path.split('/').any(|part| part == "..") {
            return Err(format!("file={path} leaves the folder of the page"));
        }
        return Ok(Some(Block { line, text, action: Action::Write { path: path.clone() } }));
    }
    if !is_command {
        return Ok(None);
    }
    let text = if language == "console" { prompted(&text) } else { text };
    if text.trim().is_empty() {
        return Err("the block holds no command".into());
    }
    let mut action = match text.trim() {
        RUNNER => Action::LeaveOut { reason: "it is what runs these blocks".into() },
        _ => Action::Run { exit: 0 },
    };
    for (key, value) in settings {
        action = match key.as_str() {
            "exit" => Action::Run { exit: value.parse().map_err(|_| format!("exit={value} is no exit code"))? },
            "skip" => leave_out(&text, value)?,
            other => return Err(format!("unknown setting `{other}`; one of: exit, skip, file")),
        };
    }
    Ok(Some(Block { line, text, action }))
}

fn leave_out(text: &str, reason: String) -> Result<Action> {
    let odd = text.lines().find(|l| {
        let command = format!("{} ", l.trim());
        !command.trim().is_empty() && !l.starts_with('#') && !MAY_BE_LEFT_OUT.iter().any(|m| command.starts_with(m))
    });
    match odd {
        _ if reason.is_empty() => Err("skip needs a reason".into()),
        Some(line) => Err(format!("`{}` could run here; leave the skip out", line.trim())),
        None => Ok(Action::LeaveOut { reason }),
    }
}

/// `key=value` and `key="some words"`, apart by spaces or commas.
fn settings(text: &str) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut rest = text.trim_start_matches([' ', ',']);
    while !rest.is_empty() {
        // A bare word is another tool's attribute (`rust,ignore`), none of ours.
        let word_end = rest.find([' ', ',', '=']).unwrap_or(rest.len());
        let (key, after) = rest.split_at(word_end);
        if let Some(value) = after.strip_prefix('=') {
            let (value, after) = match value.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or_else(|| format!("{key}: the quote is not closed"))?,
                None => value.split_at(value.find([' ', ',']).unwrap_or(value.len())),
            };
            found.push((key.to_owned(), value.to_owned()));
            rest = after;
        } else {
            rest = after;
        }
        rest = rest.trim_start_matches([' ', ',']);
    }
    Ok(found)
}

/// The commands of a console block: lines after `$ `, with those that continue them.
fn prompted(text: &str) -> String {
    let mut commands = String::new();
    let mut continues = false;
    for line in text.lines() {
        let command = if continues { Some(line.strip_prefix("> ").unwrap_or(line)) } else { line.strip_prefix("$ ") };
        if let Some(command) = command {
            commands.push_str(command);
            commands.push('\n');
            continues = command.ends_with('\\');
        }
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(markdown: &str) -> Block {
        let mut found = parse(markdown).unwrap();
        assert_eq!(found.len(), 1);
        found.remove(0)
    }

    #[test]
    fn prompts_are_commands_and_the_rest_is_output() {
        let block = one("text\n```console\n$ a \\\n>   b\nout\n$ c\n```\n");
        assert_eq!((block.line, block.text.as_str()), (2, "a \\\n  b\nc\n"));
        assert_eq!(block.action, Action::Run { exit: 0 });
    }

    #[test]
    fn settings_of_the_fence_are_read() {
        assert_eq!(one("```sh exit=4\na\n```").action, Action::Run { exit: 4 });
        assert_eq!(one("```toml file=a.toml\nx = 1\n```").action, Action::Write { path: "a.toml".into() });
        assert!(matches!(one("```sh\ncargo xtask test\n```").action, Action::LeaveOut { .. }));
        let skipped = one("```sh skip=\"takes long\"\ncargo xtask test\n```").action;
        assert_eq!(skipped, Action::LeaveOut { reason: "takes long".into() });
        assert!(parse("```rust,no_run\nlet a = 1;\n```\n```\nplain\n```\n").unwrap().is_empty());
    }

    #[test]
    fn blocks_in_a_list_lose_their_indentation() {
        assert_eq!(one("- x\n\n  ```sh\n  a\n    b\n  ```\n").text, "a\n  b\n");
    }

    #[test]
    fn fences_that_say_something_odd_are_refused_with_their_line() {
        let error = |text: &str| parse(text).unwrap_err();
        assert!(
            error("\n```sh skip=\"slow\"\ntabwright train\n```").starts_with("2: `tabwright train` could run here")
        );
        assert!(error("```sh skip=\"\"\ncargo xtask test\n```").contains("skip needs a reason"));
        assert!(error("```sh expect=4\na\n```").contains("unknown setting `expect`"));
        assert!(error("```sh\na\n").contains("not closed"));
        assert!(error("```toml file=../x\na\n```").contains("leaves the folder"));
        assert!(error("```console\nonly output\n```").contains("holds no command"));
    }
}
