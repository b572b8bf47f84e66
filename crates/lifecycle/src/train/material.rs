//! From files to what a search needs: roles, rows with a target, task, targets, features, keys, split and folds.

use std::path::Path;

use tabwright_core::random::Purpose;
use tabwright_core::split::{
    self, Cuts, Fold, FoldMethod, FoldParams, RowIdentity, Shares, Split, SplitMethod, SplitParams,
};
use tabwright_core::{Code, Column, Context, Event, Role, Schema, Table, Targets, Task, Warning};
use tabwright_data::{Input, ReadOptions};
use tabwright_learn::candidate::Registry;
use tabwright_learn::target;
use tabwright_learn::transform::Inputs;
use tabwright_model::model::Signature;

use super::memory::{self, Reading};
use super::stream::{FileRows, RowSample};
use crate::config::{Config, Duplicates, Holdout, RowsFrom, SplitConfig};
use crate::error::{Error, Result};

/// Rows as they were read.
#[derive(Debug, Clone)]
pub(super) struct Raw {
    table: Table,
    /// From this row on, rows come from the test files.
    test_from: Option<usize>,
    warnings: Vec<Warning>,
    fingerprint: String,
    reading: Reading,
}

impl Raw {
    /// A table in memory.
    pub(super) fn of_table(table: Table) -> Self {
        let fingerprint = named(&tabwright_data::Fingerprint::of(&table));
        Raw { table, test_from: None, warnings: Vec::new(), fingerprint, reading: Reading::HELD }
    }
}

/// A fingerprint with the name of its hash.
pub(crate) fn named(fingerprint: &tabwright_data::Fingerprint) -> String {
    format!("blake3:{}", fingerprint.blake3)
}

/// Rows with a target, and what is asked of them.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Every row with a target; where rows stream, only the columns that the split needs.
    pub table: Table,
    /// Position of the target.
    pub target: usize,
    /// Task, labels, and how the input was read.
    pub signature: Signature,
    /// Targets and weights.
    pub targets: Targets,
    /// The columns that may become features.
    pub inputs: Inputs,
    /// A key per row; none where rows stream.
    pub keys: Vec<u64>,
    /// What came to light.
    pub warnings: Vec<Warning>,
    /// BLAKE3 of what was read.
    pub fingerprint: String,
    /// Rows that were read, with and without a target.
    pub rows_read: usize,
    test_from: Option<usize>,
    columns: SplitColumns,
    /// How the rows were read.
    pub(super) reading: Reading,
    /// The rows with all columns, where they stream.
    pub(super) stream: Option<FileRows>,
}

/// Positions of the columns that a split goes by.
#[derive(Debug, Clone, Copy, Default)]
struct SplitColumns {
    group: Option<usize>,
    time: Option<usize>,
    named: Option<usize>,
    id: Option<usize>,
}

impl SplitColumns {
    fn has(self, position: usize) -> bool {
        [self.group, self.time, self.named, self.id].contains(&Some(position))
    }

    /// The same in a table whose columns have other places.
    fn map(self, place: impl Fn(usize) -> usize) -> Self {
        let of = |column: Option<usize>| column.map(&place);
        SplitColumns { group: of(self.group), time: of(self.time), named: of(self.named), id: of(self.id) }
    }
}

/// The split, and the folds of its training part.
#[derive(Debug, Clone)]
pub(super) struct Divided {
    pub(super) split: Split,
    pub(super) folds: Vec<Fold>,
    pub(super) warnings: Vec<Warning>,
}

/// Reads the files of a configuration and prepares them: into memory, or for a training that reads them again.
pub(super) fn read(config: &Config, registry: &Registry, context: Context<'_>) -> Result<Prepared> {
    context.observer.event(Event::Phase { name: "reading", steps: None });
    let mut inputs = super::inputs(&config.data.source)?;
    let n_main = inputs.len();
    if !config.split.files.is_empty() {
        inputs.extend(tabwright_data::resolve_inputs(&config.split.files)?);
    }
    crate::file::check_apart(&[("the model", &config.train.output)], &inputs)?;
    let options = config.data.read_options()?;
    let limit = config.train.memory_bytes()?;
    let obstacle = memory::obstacle(config, registry);
    let asked = config.train.rows_from == RowsFrom::Stream || limit.is_some();
    if config.train.rows_from == RowsFrom::Memory && limit.is_none()
        || !asked && (obstacle.is_some() || !memory::is_large(&inputs))
    {
        return hold(&inputs, n_main, &options, (config, Reading::HELD), context);
    }
    let survey = tabwright_data::survey(&inputs, &options, context)?;
    let mut shell =
        Table::new(survey.schema.clone(), survey.schema.fields().iter().map(|f| Column::empty(f.kind)).collect())?;
    let (columns, target) = assign_roles(&mut shell, config)?;
    let schema = shell.into_parts().0;
    let features = features(&schema, config)?;
    let obstacle = obstacle.or_else(|| memory::column_obstacle(&schema, &features, config));
    let mut size = memory::Size::new(survey.rows, &schema, &features, config);
    loop {
        let reading = memory::decide(size, config, obstacle.as_deref())?;
        let prepared = if !reading.streamed && reading.share >= 1.0 {
            hold(&inputs, n_main, &options, (config, reading), context)?
        } else {
            let (inputs, features) = (inputs.clone(), features.clone());
            limited(
                Surveyed { inputs, survey: &survey, schema: &schema, features, columns, target, n_main },
                size,
                (config, reading),
                &options,
                context,
            )?
        };
        // How many classes there are is known only now.
        let size_for_task = size.for_task(&prepared.signature.task);
        if !memory::must_decide_again(&reading, size, size_for_task) {
            return Ok(prepared);
        }
        size = size_for_task;
    }
}

/// Files whose columns are known, and no row yet.
struct Surveyed<'a> {
    inputs: Vec<Input>,
    survey: &'a tabwright_data::Survey,
    /// Names, kinds and the roles that were asked for.
    schema: &'a Schema,
    features: Inputs,
    columns: SplitColumns,
    target: usize,
    /// How many of the inputs are no test files.
    n_main: usize,
}

/// Reads rows that stream, or a sample of them.
fn limited(
    surveyed: Surveyed<'_>,
    size: memory::Size,
    (config, reading): (&Config, Reading),
    options: &ReadOptions,
    context: Context<'_>,
) -> Result<Prepared> {
    let Surveyed { inputs, survey, schema, features, columns, target, n_main } = surveyed;
    let sample = (reading.share < 1.0).then_some(RowSample { seed: config.split.seed, share: reading.share });
    let rows = FileRows::new(inputs, options, survey, schema.clone()).sampled(sample);
    context.observer.event(Event::Phase { name: "splitting", steps: None });
    let held: Vec<usize> = match reading.streamed {
        false => (0..schema.len()).collect(),
        true => (0..schema.len())
            .filter(|&p| columns.has(p) || p == target || schema.fields()[p].role == Role::Weight)
            .collect(),
    };
    let (mut table, main) = rows.gather(&held, n_main, context)?;
    if table.n_rows() == 0 {
        return Err(Error::Data("the memory limit leaves no row; raise it".into()));
    }
    let mut warnings = survey.warnings.clone();
    warnings.extend(memory::warnings(&reading, size, table.n_rows()));
    let test_from = (!config.split.files.is_empty()).then_some(main);
    if !reading.streamed {
        table.take_row_hashes();
        let fingerprint = named(&tabwright_data::Fingerprint::of(&table));
        return prepare(Raw { table, test_from, warnings, fingerprint, reading }, config);
    }
    let hashes = table.row_hashes().unwrap_or_default();
    let fingerprint = format!("blake3-rows:{}", tabwright_data::fingerprint_of_rows(schema, hashes));
    let place = |p: usize| held.binary_search(&p).expect("invariant: the columns that the split needs are held");
    let narrow = (columns.map(place), place(target));
    let prepared = resolve(Raw { table, test_from, warnings, fingerprint, reading }, narrow, features, config)?;
    check_names(schema, config)?;
    Ok(Prepared { stream: Some(rows.with_target(target)), ..prepared })
}

/// Reads all rows into memory.
fn hold(
    inputs: &[Input],
    n_main: usize,
    options: &ReadOptions,
    (config, reading): (&Config, Reading),
    context: Context<'_>,
) -> Result<Prepared> {
    let read = tabwright_data::read_table(inputs, options, context)?;
    let test_from = (!config.split.files.is_empty()).then(|| read.rows_per_input[..n_main].iter().sum());
    let fingerprint = named(&read.fingerprint);
    prepare(Raw { table: read.table, test_from, warnings: read.warnings, fingerprint, reading }, config)
}

/// Resolves roles, target and features of a table.
pub(super) fn prepare(mut raw: Raw, config: &Config) -> Result<Prepared> {
    let narrow = assign_roles(&mut raw.table, config)?;
    let inputs = features(raw.table.schema(), config)?;
    check_names(raw.table.schema(), config)?;
    let mut prepared = resolve(raw, narrow, inputs, config)?;
    let identity = identity(prepared.columns, config.split.duplicates);
    prepared.keys = split::row_keys(&prepared.table, config.split.seed, Purpose::EarlyStopping, identity);
    Ok(prepared)
}

/// Columns that are configured by name are there.
fn check_names(schema: &Schema, config: &Config) -> Result<()> {
    for name in config.features.columns.keys().filter(|name| !config.data.drop.contains(name)) {
        schema.require(name)?;
    }
    Ok(())
}

/// Finds task and targets of a table that has at least the columns of the split; those that become features stand in a schema
/// of their own.
fn resolve(
    mut raw: Raw,
    (columns, target): (SplitColumns, usize),
    inputs: Inputs,
    config: &Config,
) -> Result<Prepared> {
    let rows_read = raw.table.n_rows();
    let (table, test_from) = with_target(&mut raw, target)?;
    let field = &table.schema().fields()[target];
    let (task, values) =
        target::resolve(field, table.column(target), config.data.task_name()?, config.data.positive_label())?;
    let weight = only_one(&table, Role::Weight)?.map(|p| (&table.schema().fields()[p], table.column(p)));
    let targets = target::with_weights(values, weight)?;
    let signature =
        Signature { task, target: field.name.clone(), zone: config.data.zone.clone(), na: config.data.na.clone() };
    let Raw { warnings, fingerprint, reading, .. } = raw;
    Ok(Prepared {
        table,
        target,
        signature,
        targets,
        inputs,
        keys: Vec::new(),
        warnings,
        fingerprint,
        rows_read,
        test_from,
        columns,
        reading,
        stream: None,
    })
}

/// Gives the columns that the configuration names their roles.
fn assign_roles(table: &mut Table, config: &Config) -> Result<(SplitColumns, usize)> {
    let drop = &config.data.drop;
    table.retain_columns(|f| !drop.contains(&f.name));
    for (name, role) in &config.data.roles {
        let position = table.schema().require(name)?;
        table.set_role(position, *role);
    }
    if drop.contains(&config.data.target) {
        return Err(Error::Config(format!("the target `{}` is dropped too; do one of them", config.data.target)));
    }
    let target = table.schema().require(&config.data.target)?;
    match config.data.roles.get(&config.data.target) {
        None | Some(Role::Target) => {}
        Some(role) => {
            return Err(Error::Config(format!("the target `{}` cannot have the role {role} too", config.data.target)));
        }
    }
    table.set_role(target, Role::Target);
    let mut columns = SplitColumns::default();
    let split = &config.split;
    for (name, role, place) in [
        (&split.group, Role::Group, &mut columns.group),
        (&split.time, Role::Time, &mut columns.time),
        (&split.column, Role::Ignored, &mut columns.named),
    ] {
        if name.is_empty() {
            continue;
        }
        let position = table.schema().require(name)?;
        if position == target {
            return Err(Error::Config(format!("the column `{name}` is the target; the split cannot go by it")));
        }
        table.set_role(position, role);
        *place = Some(position);
    }
    columns.group = columns.group.or(only_one(table, Role::Group)?);
    columns.time = columns.time.or(only_one(table, Role::Time)?);
    columns.id = table.schema().with_role(Role::Id).next();
    Ok((columns, target))
}

fn only_one(table: &Table, role: Role) -> Result<Option<usize>> {
    let found: Vec<usize> = table.schema().with_role(role).collect();
    match found[..] {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        _ => {
            let names: Vec<&str> = found.iter().map(|&p| table.schema().fields()[p].name.as_str()).collect();
            Err(Error::Config(format!("several columns have the role {role}: {}; one is allowed", names.join(", "))))
        }
    }
}

/// Leaves out rows without a target, and counts them.
fn with_target(raw: &mut Raw, target: usize) -> Result<(Table, Option<usize>)> {
    let table = std::mem::take(&mut raw.table);
    let rows = target::rows_with_target(table.column(target));
    let (n, kept) = (table.n_rows(), rows.len());
    if n == kept {
        return Ok((table, raw.test_from));
    }
    let name = &table.schema().fields()[target].name;
    if kept == 0 {
        return Err(Error::Data(format!("the target `{name}` is missing in every row; choose another target")));
    }
    let message = format!("{} of {n} rows have no target and are left out", n - kept);
    raw.warnings.push(Warning::column(Code::MissingTarget, name, message));
    let test_from = raw.test_from.map(|from| rows.partition_point(|r| (*r as usize) < from));
    Ok((table.take(&rows), test_from))
}

fn features(schema: &Schema, config: &Config) -> Result<Inputs> {
    let mut columns: Vec<usize> = schema.with_role(Role::Feature).chain(schema.with_role(Role::Time)).collect();
    columns.sort_unstable();
    if columns.is_empty() {
        let names = tabwright_core::suggest::shorten(schema.names());
        return Err(Error::Data(format!(
            "no column is left to learn from; the table has {names}, and a model needs a feature beside the target"
        )));
    }
    let is_forced = |p: &usize| config.data.roles.get(&schema.fields()[*p].name) == Some(&Role::Feature);
    let forced = columns.iter().copied().filter(is_forced).collect();
    Ok(Inputs { columns, forced })
}

fn identity(columns: SplitColumns, duplicates: Duplicates) -> RowIdentity {
    let duplicates = match duplicates {
        Duplicates::Apart => split::Duplicates::Apart,
        Duplicates::Together => split::Duplicates::Together,
    };
    match columns.group.or(columns.id) {
        Some(column) => RowIdentity::Column(column),
        None => RowIdentity::Cells(duplicates),
    }
}

/// Splits the rows, and deals the training part to folds.
pub(super) fn divide(prepared: &Prepared, config: &Config) -> Result<Divided> {
    divide_at(prepared, config, earlier_cuts(&config.split)?)
}

/// The same, at the cuts of an earlier training where some are given.
pub(super) fn divide_at(prepared: &Prepared, config: &Config, cuts: Option<Cuts>) -> Result<Divided> {
    let task = &prepared.signature.task;
    let method = split_method(prepared, config)?;
    let params = SplitParams {
        seed: config.split.seed,
        shares: shares(&config.split, task)?,
        method,
        stratify: config.split.stratify.unwrap_or(task.is_classification()),
        identity: identity(prepared.columns, config.split.duplicates),
    };
    if cuts.is_some() && matches!(method, SplitMethod::Column(_) | SplitMethod::NoHoldout) {
        return Err(Error::Config(
            "an earlier split is to be repeated, and a split column or `--holdout none` says otherwise; give one of them"
                .into(),
        ));
    }
    let split = match prepared.test_from {
        None => split_rows(&prepared.table, task, &prepared.targets, params, cuts.as_ref())?,
        Some(from) => with_test_rows(prepared, from, params, cuts.as_ref())?,
    };
    let fold_params = FoldParams {
        folds: config.selection.folds,
        repeats: config.selection.repeats,
        seed: config.split.seed,
        method: match prepared.columns {
            SplitColumns { group: Some(column), .. } => FoldMethod::Group(column),
            SplitColumns { time: Some(column), .. } => FoldMethod::Time(column),
            _ => FoldMethod::Rows,
        },
        stratify: params.stratify,
        identity: params.identity,
    };
    let folds = match config.selection.folds {
        0 => split::Folds::default(),
        _ => split::folds(&prepared.table, task, &prepared.targets, &split.train, &fold_params)?,
    };
    let warnings = [&split.warnings[..], &folds.warnings[..]].concat();
    Ok(Divided { split, folds: folds.folds, warnings })
}

fn split_method(prepared: &Prepared, config: &Config) -> Result<SplitMethod> {
    let columns = prepared.columns;
    let given: Vec<&str> = [
        (columns.group.is_some(), "a group column"),
        (columns.time.is_some(), "a time column"),
        (columns.named.is_some(), "a split column"),
    ]
    .iter()
    .filter(|(is, _)| *is)
    .map(|(_, name)| *name)
    .collect();
    if columns.named.is_some() && prepared.test_from.is_some() {
        return Err(Error::Config("test files and a split column are given; rows are held back by one of them".into()));
    }
    if given.len() > 1 {
        return Err(Error::Config(format!("{} are given; a split goes by one of them", given.join(" and "))));
    }
    if config.split.holdout == Holdout::None && prepared.test_from.is_some() {
        return Err(Error::Config(
            "test files are given, and `--holdout none` keeps nothing back; give one of them".into(),
        ));
    }
    if config.split.holdout == Holdout::None {
        return Ok(SplitMethod::NoHoldout);
    }
    Ok(match columns {
        SplitColumns { group: Some(column), .. } => SplitMethod::Group(column),
        SplitColumns { time: Some(column), .. } => SplitMethod::Time(column),
        SplitColumns { named: Some(column), .. } => SplitMethod::Column(column),
        _ => SplitMethod::Rows,
    })
}

/// The shares that are given, the others in the proportions of the defaults.
fn shares(config: &SplitConfig, task: &Task) -> Result<Shares> {
    let defaults = Shares::default_for(task);
    let given = [config.train, config.validation, config.test];
    let usual = [defaults.train, defaults.validation, defaults.test];
    let fixed: f64 = given.iter().flatten().sum();
    let open: f64 = given.iter().zip(usual).filter(|(g, _)| g.is_none()).map(|(_, u)| u).sum();
    if fixed > 1.0 + 1e-9 {
        return Err(Error::Config(format!("the shares of the split add up to {fixed:.4}; they cannot exceed 1")));
    }
    let share = |i: usize| given[i].unwrap_or(if open > 0.0 { usual[i] * (1.0 - fixed).max(0.0) / open } else { 0.0 });
    Ok(Shares { train: share(0), validation: share(1), test: share(2) })
}

/// Where an earlier training cut, if its split is to be repeated.
fn earlier_cuts(config: &SplitConfig) -> Result<Option<Cuts>> {
    if config.like.is_empty() {
        return Ok(None);
    }
    let artifact = crate::file::load(Path::new(&config.like))?;
    let invalid = |e| Error::Data(format!("{}: its plan does not say where it was split: {e}", config.like));
    cuts_of_plan(&artifact.evidence.plan).map(Some).map_err(invalid)
}

/// Where a plan says that the rows were cut.
pub(super) fn cuts_of_plan(plan: &serde_json::Value) -> serde_json::Result<Cuts> {
    serde_json::from_value(plan["split"]["cuts"].clone())
}

fn split_rows(
    table: &Table,
    task: &Task,
    targets: &Targets,
    params: SplitParams,
    cuts: Option<&Cuts>,
) -> Result<Split> {
    Ok(match cuts {
        None => split::split(table, task, targets, &params)?,
        Some(cuts) => split::split_with_cuts(table, task, targets, &params, cuts)?,
    })
}

/// The rows of the test files are the test part, the others are split among themselves.
fn with_test_rows(prepared: &Prepared, from: usize, params: SplitParams, cuts: Option<&Cuts>) -> Result<Split> {
    let (n, task) = (prepared.table.n_rows() as u32, &prepared.signature.task);
    if from == 0 || from as u32 == n {
        let which = if from == 0 { "the data" } else { "the test files" };
        return Err(Error::Data(format!("{which} have no row with a target")));
    }
    let main: Vec<u32> = (0..from as u32).collect();
    let table = prepared.table.take(&main);
    let params = SplitParams { shares: params.shares.without_test(), ..params };
    let split = split_rows(&table, task, &prepared.targets.take(&main), params, cuts)?;
    Ok(Split { test: (from as u32..n).collect(), ..split })
}
