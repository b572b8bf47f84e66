//! Reference rows: a sample of the rows that a model was fitted on, kept where that was asked for. They are no part of what the
//! model is, and may be personal data.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tabwright_core::block::MISSING_CODE;
use tabwright_core::{Category, Column, Field, Kind, Levels, Schema, Table};

use super::tensors::{Tensor, Tensors};
use crate::error::{Error, Result};
use crate::model::Model;

/// What the names of its tensors begin with.
const NAME: &str = "reference";

/// How a column is stored.
#[derive(Debug, Serialize, Deserialize)]
struct StoredColumn {
    name: String,
    kind: Kind,
    values: Values,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Values {
    Float,
    Integer,
    Timestamp,
    Category,
}

/// Stores rows: the columns for the manifest, their values as tensors.
pub(super) fn store(table: &Table, tensors: &mut Tensors) -> Value {
    let store = |(i, field): (usize, &Field)| {
        let name = format!("{NAME}.{i}");
        let values = match table.column(i) {
            Column::Float(values) => {
                tensors.insert(name, Tensor::f64(values));
                Values::Float
            }
            Column::Integer(values) => {
                tensors.insert(name, Tensor::u64(values.iter().map(|v| *v as u64)));
                Values::Integer
            }
            Column::Timestamp(values) => {
                tensors.insert(name, Tensor::u64(values.iter().map(|v| *v as u64)));
                Values::Timestamp
            }
            Column::Category(category) => {
                let (codes, levels) = in_order(category);
                tensors.insert(format!("{name}.codes"), Tensor::u32(codes));
                tensors.insert_levels(&format!("{name}.levels"), &levels);
                Values::Category
            }
        };
        StoredColumn { name: field.name.clone(), kind: field.kind, values }
    };
    let columns: Vec<StoredColumn> = table.schema().fields().iter().enumerate().map(store).collect();
    json!({ "rows": table.n_rows(), "columns": columns })
}

/// The codes of a column by its own levels alone, in byte order.
fn in_order(category: &Category) -> (Vec<u32>, Levels) {
    let n_rows = category.codes.len();
    let used: BTreeSet<&str> = (0..n_rows).filter_map(|row| category.get(row)).collect();
    let sorted: Vec<&str> = used.into_iter().collect();
    let code = |row: usize| match category.get(row) {
        Some(level) => sorted.binary_search(&level).map_or(MISSING_CODE, |at| at as u32),
        None => MISSING_CODE,
    };
    ((0..n_rows).map(code).collect(), sorted.iter().collect())
}

/// Reads rows back.
///
/// # Errors
/// [`Error::Invalid`] if they are not rows of the inputs of the model: other columns, other lengths, codes without a level.
pub(super) fn load(stored: &Value, model: &Model, tensors: &mut Tensors) -> Result<Table> {
    let invalid = |what: &dyn std::fmt::Display| Error::Invalid(format!("its reference rows: {what}"));
    let columns: Vec<StoredColumn> = serde_json::from_value(stored["columns"].clone()).map_err(|e| invalid(&e))?;
    let n_rows = stored["rows"].as_u64().ok_or_else(|| invalid(&"their number is missing"))?;
    let inputs = model.pipeline().inputs();
    if columns.len() != inputs.len() || columns.iter().zip(inputs).any(|(own, input)| own.name != input.name) {
        return Err(invalid(&"their columns are not the inputs of the model"));
    }
    let mut fields = Vec::with_capacity(columns.len());
    let mut values = Vec::with_capacity(columns.len());
    for (i, column) in columns.into_iter().enumerate() {
        let name = format!("{NAME}.{i}");
        let signed = |tensor: Tensor| Ok::<_, Error>(tensor.to_u64()?.into_iter().map(|v| v as i64).collect());
        let loaded = match column.values {
            Values::Float => Column::Float(tensors.take(&name)?.to_f64()?),
            Values::Integer => Column::Integer(signed(tensors.take(&name)?)?),
            Values::Timestamp => Column::Timestamp(signed(tensors.take(&name)?)?),
            Values::Category => {
                let codes = tensors.take(&format!("{name}.codes"))?.to_u32()?;
                let levels: Levels = tensors.take_levels(&format!("{name}.levels"))?.iter().collect();
                if codes.iter().any(|code| *code != MISSING_CODE && *code as usize >= levels.len()) {
                    return Err(invalid(&"a code has no level"));
                }
                Column::Category(Category { codes, levels: Arc::new(levels) })
            }
        };
        if loaded.len() as u64 != n_rows {
            return Err(invalid(&"their columns have other lengths"));
        }
        let fits = match (column.kind, &loaded) {
            (kind, Column::Float(_) | Column::Integer(_)) => !matches!(kind, Kind::Timestamp | Kind::Text),
            (kind, Column::Timestamp(_)) => kind == Kind::Timestamp,
            (kind, Column::Category(_)) => kind.is_coded(),
        };
        if !fits {
            return Err(invalid(&format!("the column `{}` holds no {} values", column.name, column.kind.name())));
        }
        fields.push(Field::feature(column.name, column.kind));
        values.push(loaded);
    }
    let schema = Schema::new(fields).map_err(|e| invalid(&e))?;
    model.bind(&schema).map_err(|e| invalid(&e))?;
    Table::new(schema, values).map_err(|e| invalid(&e))
}
