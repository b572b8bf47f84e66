//! Reports on the screen: sections, facts, lists and tables as text. Pictures need a page.

use std::fmt::Write;

use tabwright_report::document::{Block, Document, Table, Value};

/// A document as text for a terminal.
pub(crate) fn in_text(document: &Document) -> String {
    let mut parts = vec![document.title.clone()];
    parts.extend(Some(document.lead.clone()).filter(|l| !l.is_empty()));
    for section in &document.sections {
        parts.push(section.title.to_uppercase());
        for block in &section.blocks {
            parts.extend(part(block));
        }
    }
    parts.join("\n\n") + "\n"
}

fn part(block: &Block) -> Option<String> {
    Some(match block {
        Block::Heading(text) | Block::Text(text) => text.clone(),
        Block::Facts(facts) => {
            let mut text = String::new();
            for fact in facts {
                let value = match &fact.value {
                    Value::Text(value) | Value::Code(value) => value.clone(),
                    Value::Missing(key) => format!("missing ({key})"),
                };
                let _ = writeln!(text, "{}: {value}", fact.name);
            }
            text.trim_end().to_owned()
        }
        Block::List(lines) => lines.iter().map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n"),
        Block::Table(own) => table(own),
        Block::Picture(_) => return None,
    })
}

fn table(own: &Table) -> String {
    let header: Vec<&str> = own.header.iter().map(String::as_str).collect();
    let mut table = if own.numeric { super::table(&header) } else { super::text_table(&header) };
    for cells in &own.rows {
        match own.numeric {
            true => super::row(&mut table, cells.clone()),
            false => drop(table.add_row(cells)),
        }
    }
    table.to_string()
}
