//! The rows that tests look at: those of a file, or those that a model was never fitted on.

use tabwright_core::{Column, Context, Kind, Table, Targets, suggest};
use tabwright_data::ReadOptions;
use tabwright_learn::target;
use tabwright_model::model::Model;

use super::Named;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::labels::{Label, Labels};
use crate::registry::reproduce;
use crate::train::{HeldBack, held_back};

/// Rows for a model, and where they are from.
#[derive(Debug)]
pub(super) struct Ground {
    /// The rows, with their targets where the data has them.
    pub(super) held: HeldBack,
    /// Whether the data has the target.
    pub(super) has_target: bool,
    /// What they are, for a person.
    pub(super) what: String,
}

/// All rows of files, as the configuration of a project reads them. Columns that it drops are read all the same: a test may
/// be about them.
pub(super) fn read_as_configured(sources: &[String], config: &Config, context: Context<'_>) -> Result<Table> {
    read(sources, plain_options(config)?, context)
}

/// How a project reads files, whatever columns they have.
fn plain_options(config: &Config) -> Result<ReadOptions> {
    let mut options = config.data.read_options()?;
    options.drop.clear();
    options.roles.clear();
    Ok(options)
}

fn read(sources: &[String], options: ReadOptions, context: Context<'_>) -> Result<Table> {
    let inputs = crate::train::inputs(sources)?;
    with_known_types(options, |options| Ok(tabwright_data::read_table(&inputs, options, context)?.table))
}

/// Reads with kinds of columns that the files may not have: those are passed over.
pub(super) fn with_known_types<T>(mut options: ReadOptions, read: impl Fn(&ReadOptions) -> Result<T>) -> Result<T> {
    loop {
        match read(&options) {
            Err(Error::Rows(tabwright_data::Error::Core(tabwright_core::Error::UnknownColumn { name, .. })))
                if options.types.contains_key(&name) =>
            {
                options.types.remove(&name);
            }
            other => return other,
        }
    }
}

/// How a model's data is read: as the project says, with the model's own tokens and zone.
pub(super) fn options_of_model(model: &Model, config: &Config) -> Result<ReadOptions> {
    Ok(crate::answer::read_options(model, &plain_options(config)?))
}

/// The rows of files, or those that a model was never fitted on.
///
/// # Errors
/// From reading, for a label that the model does not know, and where nothing was held back.
pub(super) fn ground(named: &Named, data: Option<&str>, project: &Config, context: Context<'_>) -> Result<Ground> {
    let model = named.artifact.model();
    let Some(file) = data else {
        let config = match &named.config {
            Some(config) => config.clone(),
            None => of_project(named, project),
        };
        let held = held_back(&config, &named.artifact.evidence.plan, context).map_err(|e| match e {
            Error::Data(why) => Error::Data(format!("{why}; name rows with data = \"FILE\"")),
            other => other,
        })?;
        let what = format!("{} rows that it was not fitted on", held.rows.len());
        return Ok(Ground { held, has_target: true, what });
    };
    let mut options = options_of_model(model, project)?;
    let name = &model.signature().target;
    if model.task().is_classification() {
        options.types.insert(name.clone(), Kind::Categorical);
    }
    let table = read(&[file.to_owned()], options, context)?;
    let Some(position) = table.schema().position(name) else {
        let n = table.n_rows();
        let held = HeldBack { rows: (0..n as u32).collect(), targets: Targets::new(vec![f64::NAN; n]), table };
        return Ok(Ground { held, has_target: false, what: format!("{n} rows") });
    };
    let values = targets(model, table.column(position))?;
    let rows: Vec<u32> = (0..table.n_rows() as u32).filter(|row| !values[*row as usize].is_nan()).collect();
    if rows.is_empty() {
        return Err(Error::Data(format!("{file}: the target `{name}` is missing in every row")));
    }
    let what = format!("{} rows", rows.len());
    Ok(Ground { held: HeldBack { table, targets: Targets::new(values), rows }, has_target: true, what })
}

/// What a model file was trained with, as far as its plan and the project say.
fn of_project(named: &Named, project: &Config) -> Config {
    let mut config = reproduce::config_of_plan(&named.artifact, project);
    let of_plan = std::mem::replace(&mut config.data, project.data.clone());
    config.data.target = of_plan.target;
    config.data.task = of_plan.task;
    config.data.positive = of_plan.positive;
    config
}

/// The targets of a column, as a model means them; NaN where there is none.
fn targets(model: &Model, column: &Column) -> Result<Vec<f64>> {
    let Column::Category(category) = column else {
        return Ok((0..column.len()).map(|row| column.number(row)).collect());
    };
    let codes = Labels::of(model.task()).codes(category);
    let mut values = vec![f64::NAN; column.len()];
    for row in target::rows_with_target(column) {
        values[row as usize] = match codes[category.codes[row as usize] as usize] {
            Label::Known(code) => code as f64,
            Label::Missing => f64::NAN,
            Label::Unknown => {
                let labels = model.task().labels();
                return Err(Error::Data(format!(
                    "row {}: the model does not know the label `{}`; it knows {}",
                    row + 1,
                    category.get(row as usize).unwrap_or_default(),
                    suggest::shorten(labels.iter().map(String::as_str))
                )));
            }
        };
    }
    Ok(values)
}
