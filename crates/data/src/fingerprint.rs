//! What identifies the content of a table: a hash of its cells, the same from every format.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tabwright_core::{Category, Column, Schema, Table};

/// Values that are hashed at a time.
const CHUNK: usize = 4096;

/// Identifies the content of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// BLAKE3 (hex) over names, kinds and values of all columns, in order.
    pub blake3: String,
    /// Number of rows.
    pub rows: u64,
    /// Number of columns.
    pub columns: u64,
}

impl Fingerprint {
    /// Hashes a table: for each column name, kind and values (little-endian; the strings of a category in the order of
    /// first appearance, then the codes), then the hashes of the columns.
    ///
    /// # Determinism
    /// Equal tables have equal fingerprints, whatever they were read from.
    pub fn of(table: &Table) -> Self {
        let fields = table.schema().fields();
        let hashes: Vec<blake3::Hash> = fields
            .par_iter()
            .zip(table.block().columns())
            .map(|(field, column)| {
                let mut hasher = blake3::Hasher::new();
                for text in [field.name.as_str(), field.kind.name()] {
                    hash_text(&mut hasher, text);
                }
                hash_column(&mut hasher, column);
                hasher.finalize()
            })
            .collect();
        let mut whole = blake3::Hasher::new();
        for hash in &hashes {
            whole.update(hash.as_bytes());
        }
        Fingerprint {
            blake3: whole.finalize().to_hex().to_string(),
            rows: table.n_rows() as u64,
            columns: fields.len() as u64,
        }
    }
}

/// BLAKE3 (hex) over names and kinds of columns and the hashes of all rows, in order: what identifies the content of rows that
/// stream by, whose strings are never numbered.
pub fn fingerprint_of_rows(schema: &Schema, row_hashes: &[u64]) -> String {
    let mut hasher = blake3::Hasher::new();
    for field in schema.fields() {
        hash_text(&mut hasher, &field.name);
        hash_text(&mut hasher, field.kind.name());
    }
    hash_values(&mut hasher, row_hashes, |hash| hash.to_le_bytes());
    hasher.finalize().to_hex().to_string()
}

fn hash_text(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}

fn hash_column(hasher: &mut blake3::Hasher, column: &Column) {
    match column {
        Column::Float(values) => {
            // All missing values have one pattern of bits.
            let bits = |x: &f64| if x.is_nan() { u64::MAX } else { x.to_bits() };
            hash_values(hasher, values, |x| bits(x).to_le_bytes());
        }
        Column::Integer(values) | Column::Timestamp(values) => hash_values(hasher, values, |x| x.to_le_bytes()),
        Column::Category(category) => hash_category(hasher, category),
    }
}

fn hash_category(hasher: &mut blake3::Hasher, category: &Category) {
    hasher.update(&(category.levels.len() as u64).to_le_bytes());
    for level in category.levels.iter() {
        hash_text(hasher, level);
    }
    hash_values(hasher, &category.codes, |code| code.to_le_bytes());
}

fn hash_values<T, const N: usize>(hasher: &mut blake3::Hasher, values: &[T], bytes: impl Fn(&T) -> [u8; N]) {
    let mut buffer = Vec::with_capacity(CHUNK * N);
    for chunk in values.chunks(CHUNK) {
        buffer.clear();
        for value in chunk {
            buffer.extend_from_slice(&bytes(value));
        }
        hasher.update(&buffer);
    }
}
