//! A report as a document: sections with facts, lists, tables and pictures. [`Document::to_markdown`] and
//! [`Document::to_html`] write it. Every text in it is plain, but that what stands between backticks is code: what comes from data
//! is made harmless when it is written.

use serde::Serialize;

/// A report.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Document {
    /// What stands above it.
    pub title: String,
    /// A sentence below the title.
    pub lead: String,
    /// Its parts.
    pub sections: Vec<Section>,
}

/// A part of a report.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Section {
    /// What stands above it.
    pub title: String,
    /// What it holds, from top to bottom.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// What the next blocks are about.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// Names with their values.
    Facts(Vec<Fact>),
    /// Lines of equal rank.
    List(Vec<String>),
    /// Rows and columns.
    Table(Table),
    /// A picture: on pages only; Markdown and JSON have its numbers in tables.
    Picture(Picture),
}

/// A name with its value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fact {
    /// The name.
    pub name: String,
    /// The value.
    #[serde(flatten)]
    pub value: Value,
}

/// What is known of a fact.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// A text.
    Text(String),
    /// A command or a name, as it is typed.
    Code(String),
    /// Nobody has said it yet: the configuration key that would.
    Missing(String),
}

/// Rows and columns.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Table {
    /// What the columns hold.
    pub header: Vec<String>,
    /// The rows, of as many cells each.
    pub rows: Vec<Vec<String>>,
    /// Whether the columns from the second on hold numbers.
    #[serde(skip)]
    pub numeric: bool,
}

/// A picture.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Picture {
    /// What it shows, for those who cannot see it.
    pub alt: String,
    /// An SVG element of this crate.
    #[serde(skip)]
    pub svg: String,
}

impl Document {
    /// As Markdown (GitHub's form), without pictures.
    pub fn to_markdown(&self) -> String {
        crate::markdown::write(self)
    }

    /// As one HTML page that needs nothing else: it prints well, and follows the reader's choice of light or dark.
    pub fn to_html(&self) -> String {
        crate::html::write(self)
    }

    /// Keys of the configuration that would fill what is missing, in the order of the report.
    pub fn missing(&self) -> Vec<&str> {
        let facts = self.sections.iter().flat_map(|s| &s.blocks).filter_map(|block| match block {
            Block::Facts(facts) => Some(facts),
            _ => None,
        });
        facts
            .flatten()
            .filter_map(|fact| match &fact.value {
                Value::Missing(key) => Some(key.as_str()),
                _ => None,
            })
            .collect()
    }
}

impl Section {
    /// A section without anything in it.
    pub fn new(title: &str) -> Self {
        Section { title: title.to_owned(), blocks: Vec::new() }
    }

    /// Adds a heading.
    pub fn heading(&mut self, text: &str) -> &mut Self {
        self.blocks.push(Block::Heading(text.to_owned()));
        self
    }

    /// Adds a paragraph.
    pub fn text(&mut self, text: impl Into<String>) -> &mut Self {
        self.blocks.push(Block::Text(text.into()));
        self
    }

    /// Adds a fact to those that stand last.
    pub fn fact(&mut self, name: &str, value: Value) -> &mut Self {
        let fact = Fact { name: name.to_owned(), value };
        match self.blocks.last_mut() {
            Some(Block::Facts(facts)) => facts.push(fact),
            _ => self.blocks.push(Block::Facts(vec![fact])),
        }
        self
    }

    /// Adds a list, if it has any line.
    pub fn list(&mut self, lines: Vec<String>) -> &mut Self {
        if !lines.is_empty() {
            self.blocks.push(Block::List(lines));
        }
        self
    }

    /// Adds a table, if it has any row.
    pub fn table(&mut self, table: Table) -> &mut Self {
        if !table.rows.is_empty() {
            self.blocks.push(Block::Table(table));
        }
        self
    }

    /// Adds a picture.
    pub fn picture(&mut self, alt: &str, svg: String) -> &mut Self {
        self.blocks.push(Block::Picture(Picture { alt: alt.to_owned(), svg }));
        self
    }
}

impl Table {
    /// A table of texts.
    pub fn of_texts(header: &[&str]) -> Self {
        Table { header: header.iter().map(|h| (*h).to_owned()).collect(), rows: Vec::new(), numeric: false }
    }

    /// A table whose columns from the second on hold numbers.
    pub fn of_numbers(header: &[&str]) -> Self {
        Table { numeric: true, ..Table::of_texts(header) }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) -> &mut Self {
        self.rows.push(cells);
        self
    }
}

/// The pieces of a text in turn: plain, between backticks, plain … Where a backtick is left alone, all of it is plain.
pub(crate) fn pieces(text: &str) -> Vec<&str> {
    let pieces: Vec<&str> = text.split('`').collect();
    if pieces.len() % 2 == 1 { pieces } else { vec![text] }
}

impl Value {
    /// A text that a key of the configuration holds; missing where it is empty.
    pub fn of_key(key: &str, text: &str) -> Self {
        if text.trim().is_empty() { Value::Missing(key.to_owned()) } else { Value::Text(text.trim().to_owned()) }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A report whose every text is hostile.
    pub(crate) fn hostile() -> Document {
        let bad = "<script>alert(1)</script> | `a` *b* [c](http://d) \u{1b}[31m\n# e";
        let mut section = Section::new(bad);
        section.heading(bad).text(bad).fact(bad, Value::Text(bad.into())).fact("command", Value::Code(bad.into()));
        section.fact("objective", Value::of_key("project.objective", " ")).list(vec![bad.into()]);
        let mut table = Table::of_numbers(&[bad, "value"]);
        table.row(vec![bad.into(), "0.5".into()]);
        section.table(table).picture(bad, "<svg></svg>".into());
        Document { title: bad.into(), lead: bad.into(), sections: vec![section] }
    }

    #[test]
    fn what_is_missing_is_named_by_its_key() {
        assert_eq!(hostile().missing(), ["project.objective"]);
    }
}
