//! Puts a table together from rows of blocks, such as a sample of a stream.

use std::sync::Arc;

use super::{Category, Column, LevelsBuilder, MISSING_CODE, Table};
use crate::{Result, Rows, Schema};

/// Collects rows of blocks that have the columns of one schema.
#[derive(Debug)]
pub struct TableBuilder {
    schema: Schema,
    columns: Vec<(Column, LevelsBuilder)>,
}

impl TableBuilder {
    /// Begins a table.
    pub fn new(schema: Schema) -> Self {
        let columns = schema.fields().iter().map(|f| (Column::empty(f.kind), LevelsBuilder::default())).collect();
        TableBuilder { schema, columns }
    }

    /// Appends rows; `positions` says where in their block each column of the table lies.
    ///
    /// # Panics
    /// If a column is not of the type that its kind asks for.
    pub fn push(&mut self, rows: Rows<'_>, positions: &[usize]) {
        let set = rows.set();
        for ((own, levels), &position) in self.columns.iter_mut().zip(positions) {
            match (own, rows.column(position)) {
                (Column::Float(own), Column::Float(v)) => own.extend(set.iter().map(|row| v[row])),
                (Column::Integer(own), Column::Integer(v)) | (Column::Timestamp(own), Column::Timestamp(v)) => {
                    own.extend(set.iter().map(|row| v[row]));
                }
                (Column::Category(own), Column::Category(c)) => {
                    // A level is taken in at the first row that has it, so that codes follow the order of appearance.
                    let mut known = vec![MISSING_CODE; c.levels.len()];
                    own.codes.extend(set.iter().map(|row| match c.codes[row] {
                        MISSING_CODE => MISSING_CODE,
                        code => {
                            let known = &mut known[code as usize];
                            if *known == MISSING_CODE {
                                *known = levels.intern(c.levels.get(code));
                            }
                            *known
                        }
                    }));
                }
                (own, found) => unreachable!("invariant: blocks have the types of their schema: {own:?}, {found:?}"),
            }
        }
    }

    /// Ends the table.
    ///
    /// # Errors
    /// As [`Table::new`].
    pub fn finish(self) -> Result<Table> {
        let columns = self.columns.into_iter().map(|(column, levels)| match column {
            Column::Category(c) => Column::Category(Category { levels: Arc::new(levels.finish()), ..c }),
            other => other,
        });
        Table::new(self.schema, columns.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Field, Kind, RowSet};

    #[test]
    fn rows_of_blocks_make_one_table() {
        let fields = vec![Field::feature("c", Kind::Categorical), Field::feature("n", Kind::Integer)];
        let schema = Schema::new(fields).unwrap();
        let block = |words: &[Option<&str>], numbers: Vec<i64>| {
            let words = Column::Category(Category::from_strings(words.iter().copied()));
            Table::new(schema.clone(), vec![words, Column::Integer(numbers)]).unwrap()
        };
        let (a, b) = (block(&[Some("x"), Some("y"), None], vec![1, 2, 3]), block(&[Some("y"), Some("z")], vec![4, 5]));
        let mut builder = TableBuilder::new(schema.clone());
        builder.push(Rows::new(a.block(), RowSet::List(&[1, 2])), &[0, 1]);
        builder.push(Rows::all(b.block()), &[0, 1]);
        let table = builder.finish().unwrap();
        let Column::Category(words) = table.column(0) else { panic!("words are a category") };
        assert_eq!(words.levels.iter().collect::<Vec<_>>(), ["y", "z"]);
        assert_eq!(words.codes, [0, MISSING_CODE, 0, 1]);
        assert!(matches!(table.column(1), Column::Integer(v) if v == &[2, 3, 4, 5]));
    }
}
