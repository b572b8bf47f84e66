//! Documents as HTML: one page, with its style and pictures within it.

use std::fmt::Write;

use crate::document::{Block, Document, Section, Table, Value, pieces};
use crate::xml::escaped;

/// The style of a page: light or dark as the reader has it, black on white on paper.
const STYLE: &str = "\
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --line: #d8dee4; --ground: #ffffff; --shade: #f6f8fa; --warn: #9a5b00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --soft: #9aa4ae; --line: #3a424b; --ground: #14181d; --shade: #1d232a; --warn: #f0b24a; } }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 4rem; background: var(--ground); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
h1 { margin: 0 0 .25rem; font-size: 1.9rem; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 .75rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); font-size: 1.35rem; overflow-wrap: anywhere; }
h3 { margin: 1.6rem 0 .5rem; font-size: 1.05rem; overflow-wrap: anywhere; }
p.lead, figcaption { color: var(--soft); }
nav a { margin-right: 1rem; white-space: nowrap; }
a { color: inherit; }
dl { display: grid; grid-template-columns: minmax(9rem, 14rem) 1fr; gap: .3rem 1rem; margin: .5rem 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.missing { color: var(--warn); }
code { padding: .1em .35em; border-radius: 4px; background: var(--shade); font: .9em ui-monospace, monospace; }
.wide { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; font-size: .92rem; }
th, td { padding: .3rem .75rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; max-width: 28rem; overflow-wrap: break-word; }
th { background: var(--shade); font-weight: 600; }
table.numeric th:not(:first-child), table.numeric td:not(:first-child) { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 1rem 0; } figure svg { max-width: 100%; height: auto; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; } }
@media print { :root { color-scheme: light; --ink: #000; --soft: #444; --line: #bbb; --ground: #fff; --shade: #f2f2f2; --warn: #7a4700; }
  body { max-width: none; padding: 0; font-size: 10.5pt; } nav { display: none; } figure, tr, dl { break-inside: avoid; } h2, h3 { break-after: avoid; } }
";

pub(crate) fn write(document: &Document) -> String {
    let title = escaped(&document.title);
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n"
    );
    if !document.lead.is_empty() {
        let _ = writeln!(text, "<p class=\"lead\">{}</p>", inline(&document.lead));
    }
    text.push_str("<nav>");
    for (i, section) in document.sections.iter().enumerate() {
        let _ = write!(text, "<a href=\"#part-{}\">{}</a>", i + 1, escaped(&section.title));
    }
    text.push_str("</nav>\n</header>\n<main>\n");
    document.sections.iter().enumerate().for_each(|(i, own)| section(i + 1, own, &mut text));
    text + "</main>\n</body>\n</html>\n"
}

fn section(number: usize, section: &Section, text: &mut String) {
    let _ = writeln!(text, "<section id=\"part-{number}\">\n<h2>{}</h2>", escaped(&section.title));
    for block in &section.blocks {
        match block {
            Block::Heading(heading) => drop(writeln!(text, "<h3>{}</h3>", escaped(heading))),
            Block::Text(paragraph) => drop(writeln!(text, "<p>{}</p>", inline(paragraph))),
            Block::Facts(facts) => {
                text.push_str("<dl>\n");
                for fact in facts {
                    let _ = writeln!(text, "<dt>{}</dt><dd>{}</dd>", inline(&fact.name), value(&fact.value));
                }
                text.push_str("</dl>\n");
            }
            Block::List(lines) => {
                text.push_str("<ul>\n");
                for line in lines {
                    let _ = writeln!(text, "<li>{}</li>", inline(line));
                }
                text.push_str("</ul>\n");
            }
            Block::Table(own) => table(own, text),
            Block::Picture(picture) => {
                let _ = writeln!(
                    text,
                    "<figure>\n{}<figcaption>{}</figcaption>\n</figure>",
                    picture.svg,
                    escaped(&picture.alt)
                );
            }
        }
    }
    text.push_str("</section>\n");
}

/// A text whose pieces between backticks are code.
fn inline(text: &str) -> String {
    let one = |(i, piece): (usize, &&str)| match i % 2 {
        1 => format!("<code>{}</code>", escaped(piece)),
        _ => escaped(piece),
    };
    pieces(text).iter().enumerate().map(one).collect()
}

fn value(value: &Value) -> String {
    match value {
        Value::Text(text) => inline(text),
        Value::Code(code) => format!("<code>{}</code>", escaped(code)),
        Value::Missing(key) => format!(
            "<span class=\"missing\">missing: nobody has said it yet</span> (<code>{}</code> in <code>tabwright.toml</code>)",
            escaped(key)
        ),
    }
}

fn table(table: &Table, text: &mut String) {
    let class = if table.numeric { " class=\"numeric\"" } else { "" };
    let cells =
        |cells: &[String], tag: &str| cells.iter().map(|c| format!("<{tag}>{}</{tag}>", inline(c))).collect::<String>();
    let _ = writeln!(
        text,
        "<div class=\"wide\"><table{class}>\n<thead><tr>{}</tr></thead>\n<tbody>",
        cells(&table.header, "th")
    );
    for row in &table.rows {
        let _ = writeln!(text, "<tr>{}</tr>", cells(row, "td"));
    }
    text.push_str("</tbody>\n</table></div>\n");
}

#[cfg(test)]
mod tests {
    use crate::document::tests::hostile;

    #[test]
    fn a_page_needs_nothing_else_and_runs_nothing() {
        let page = hostile().to_html();
        assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
        for odd in ["<script", "src=", "http-equiv", "@import", "\u{1b}"] {
            assert!(!page.contains(odd), "{odd}: {page}");
        }
        assert!(
            page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && page.contains("<code>project.objective</code>")
        );
        assert_eq!((page.matches("<section").count(), page.matches("</section>").count()), (1, 1));
        assert!(page.contains("prefers-color-scheme: dark") && page.contains("@media print"));
    }
}
