//! The formats that rows come in, told by a file's name or by its first bytes.

use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tabwright_core::suggest;

mod utf8;

/// How rows are laid out in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Delimited text: `.csv`, `.tsv`, `.txt`.
    Csv,
    /// One JSON object a line: `.jsonl`, `.ndjson`.
    Jsonl,
    /// Apache Parquet: `.parquet`, `.pq`.
    Parquet,
    /// Arrow IPC, the file or the stream form: `.arrow`, `.ipc`, `.feather`.
    Arrow,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 4] = [Format::Csv, Format::Jsonl, Format::Parquet, Format::Arrow];

    /// The name that options and messages use.
    pub fn name(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Jsonl => "jsonl",
            Format::Parquet => "parquet",
            Format::Arrow => "arrow",
        }
    }

    /// The name of Arrow's file form on the web; [`Format::media_type`] gives that of its stream form.
    pub const ARROW_FILE: &str = "application/vnd.apache.arrow.file";

    /// The name that the format has on the web (IANA, media types).
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Csv => "text/csv",
            Format::Jsonl => "application/x-ndjson",
            Format::Parquet => "application/vnd.apache.parquet",
            Format::Arrow => "application/vnd.apache.arrow.stream",
        }
    }

    /// Whether the format is text, which may be compressed as a whole.
    pub fn is_text(self) -> bool {
        matches!(self, Format::Csv | Format::Jsonl)
    }

    /// Tells format and compression by the name of a file.
    pub fn of_path(path: &Path) -> (Option<Format>, Compression) {
        let name = path.file_name().map(|n| n.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        let (stem, compression) = match name.rsplit_once('.') {
            Some((stem, "gz")) => (stem, Compression::Gzip),
            Some((stem, "zst")) => (stem, Compression::Zstd),
            _ => (name.as_str(), Compression::None),
        };
        let format = stem.rsplit_once('.').and_then(|(_, extension)| Format::of_extension(extension));
        (format, compression)
    }

    fn of_extension(extension: &str) -> Option<Format> {
        Some(match extension {
            "csv" | "tsv" | "tab" | "txt" => Format::Csv,
            "jsonl" | "ndjson" => Format::Jsonl,
            "parquet" | "pq" => Format::Parquet,
            "arrow" | "ipc" | "feather" | "arrows" => Format::Arrow,
            _ => return None,
        })
    }

    /// Tells the format by the first bytes of (uncompressed) content. Whatever is none of the others is CSV.
    pub fn of_content(head: &[u8]) -> Format {
        let first = head.iter().find(|b| !b.is_ascii_whitespace());
        if head.starts_with(b"PAR1") {
            Format::Parquet
        } else if head.starts_with(b"ARROW1") || head.starts_with(&[0xff, 0xff, 0xff, 0xff]) {
            Format::Arrow
        } else if first == Some(&b'{') {
            Format::Jsonl
        } else {
            Format::Csv
        }
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = tabwright_core::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let lower = text.to_ascii_lowercase();
        let by_name = match lower.as_str() {
            "json" => Some(Format::Jsonl),
            other => Format::of_extension(other),
        };
        by_name.ok_or_else(|| {
            let names = Format::ALL.map(Format::name);
            tabwright_core::Error::UnknownName {
                what: "format",
                found: text.to_owned(),
                hint: suggest::did_you_mean(text, names),
                allowed: names.join(", "),
            }
        })
    }
}

/// How the bytes of a text file are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip: `.gz`.
    Gzip,
    /// Zstandard: `.zst`.
    Zstd,
}

impl Compression {
    /// Tells the compression by the first bytes.
    pub fn of_content(head: &[u8]) -> Compression {
        if head.starts_with(&[0x1f, 0x8b]) {
            Compression::Gzip
        } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Compression::Zstd
        } else {
            Compression::None
        }
    }
}

/// Names a kind of file that is no table here, by its first bytes, with what to do about it.
pub(crate) fn foreign(head: &[u8]) -> Option<&'static str> {
    let kinds: [(&[u8], &str); 9] = [
        (b"PK\x03\x04", "a ZIP archive or an Excel workbook; save the sheet as CSV"),
        (b"\xd0\xcf\x11\xe0", "an old Excel or Office file; save the sheet as CSV"),
        (b"%PDF", "a PDF; export the table as CSV"),
        (b"\x89PNG", "a PNG picture"),
        (b"\x7fELF", "a program"),
        (b"SQLite format 3\0", "a SQLite database; export the table as CSV"),
        (b"ORC", "an ORC file; convert it to Parquet"),
        (b"BZh", "compressed with bzip2; unpack it first"),
        (b"\xfd7zXZ\0", "compressed with xz; unpack it first"),
    ];
    kinds.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_contents_tell_the_format() {
        let of = |name: &str| Format::of_path(Path::new(name));
        assert_eq!(of("a/b.CSV"), (Some(Format::Csv), Compression::None));
        assert_eq!(of("b.tsv.gz"), (Some(Format::Csv), Compression::Gzip));
        assert_eq!(of("b.ndjson.zst"), (Some(Format::Jsonl), Compression::Zstd));
        assert_eq!(of("b.pq"), (Some(Format::Parquet), Compression::None));
        assert_eq!(of("b.feather"), (Some(Format::Arrow), Compression::None));
        assert_eq!(of("data.gz"), (None, Compression::Gzip));
        assert_eq!(Format::of_content(b"  {\"a\": 1}"), Format::Jsonl);
        assert_eq!(Format::of_content(b"PAR1...."), Format::Parquet);
        assert_eq!(Format::of_content(b"a,b\n"), Format::Csv);
    }

    #[test]
    fn an_unknown_format_is_answered_with_the_nearest() {
        assert_eq!("TSV".parse::<Format>().unwrap(), Format::Csv);
        let error = "parket".parse::<Format>().unwrap_err().to_string();
        assert!(error.contains("did you mean `parquet`?"), "{error}");
    }
}
