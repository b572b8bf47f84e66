//! Every configuration key, once: name, flag, type, default and meaning. The flags of `train`, the environment
//! variables, the check for unknown keys and the configuration page of the guide are made from this table.

/// What a key holds, and how its text form is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyType {
    /// Any text.
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A whole number that is not negative.
    Count,
    /// A port of TCP.
    Port,
    /// A number.
    Number,
    /// `true` or `false`.
    Switch,
    /// Texts, separated by commas.
    List,
    /// Name and value, as `NAME=VALUE`; in the file a table.
    Pairs,
    /// Name and number, as `NAME=NUMBER`; in the file a table.
    Numbers,
}

/// A configuration key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    /// Where it stands in `tabwright.toml`.
    pub(crate) name: &'static str,
    /// The flag that sets it, without dashes.
    pub(crate) flag: Option<&'static str>,
    /// How the flag's value is shown in help.
    pub(crate) value: &'static str,
    /// What it holds.
    pub(crate) key_type: KeyType,
    /// Its default, as it would stand in the file; empty where there is none.
    pub(crate) default: &'static str,
    /// What it does.
    pub(crate) doc: &'static str,
}

const fn key(
    (name, flag): (&'static str, &'static str),
    value: &'static str,
    key_type: KeyType,
    default: &'static str,
    doc: &'static str,
) -> Key {
    let flag = if flag.is_empty() { None } else { Some(flag) };
    Key { name, flag, value, key_type, default, doc }
}

use KeyType::{Choice, Count, List, Number, Numbers, Pairs, Port, Switch, Text};

const IMPUTE_NUMBER: KeyType = Choice(&["median", "mean", "most_frequent", "constant", "none"]);
const IMPUTE_CATEGORY: KeyType = Choice(&["constant", "most_frequent", "none"]);
const SCALE: KeyType = Choice(&["standard", "min_max", "robust", "none"]);
const ENCODE: KeyType = Choice(&["one_hot", "ordinal", "native"]);

/// Every key, in the order of the documentation.
pub(crate) const KEYS: &[Key] = &[
    key(
        ("data.source", ""),
        "DATA",
        List,
        "[]",
        "Files, globs, a folder, or \"-\" for standard input. The command line names them as DATA.",
    ),
    key(("data.target", "target"), "COL", Text, "\"\"", "The column to predict."),
    key(
        ("data.task", "task"),
        "TASK",
        Choice(&["", "binary", "multiclass", "regression"]),
        "\"\"",
        "binary, multiclass or regression. Empty: it follows from the target.",
    ),
    key(
        ("data.positive", "positive"),
        "LABEL",
        Text,
        "\"\"",
        "The positive label of a binary task. Empty: the last in byte order.",
    ),
    key(("data.na", "na"), "TOKEN", List, "[]", "Tokens that mean \"missing\" in every column, beside empty cells."),
    key(("data.zone", "zone"), "ZONE", Text, "\"UTC\"", "Time zone in which timestamps without an offset are read."),
    key(
        ("data.types", "type"),
        "COL=KIND",
        Pairs,
        "{}",
        "Kinds that are not to be inferred: boolean, integer, float, categorical, text, timestamp.",
    ),
    key(
        ("data.roles", "role"),
        "COL=ROLE",
        Pairs,
        "{}",
        "Roles of columns: feature, id, weight, group, time, ignored. A feature is kept even if it looks like an identifier.",
    ),
    key(("data.drop", "drop"), "COL", List, "[]", "Columns that are not read."),
    key(
        ("data.format", "format"),
        "FORMAT",
        Choice(&["", "csv", "jsonl", "parquet", "arrow"]),
        "\"\"",
        "csv, jsonl, parquet or arrow. Empty: by name and content.",
    ),
    key(
        ("data.delimiter", "delimiter"),
        "CHAR",
        Text,
        "\"\"",
        "What separates the cells of a CSV: one character, or tab. Empty: detected.",
    ),
    key(("data.quote", "quote"), "CHAR", Text, "\"\"", "What quotes the cells of a CSV. Empty: \"."),
    key(
        ("data.header", "header"),
        "BOOL",
        Switch,
        "",
        "Whether the first line of a CSV names the columns. Absent: detected.",
    ),
    key(
        ("data.encoding", "encoding"),
        "NAME",
        Text,
        "\"\"",
        "Encoding of text, such as utf-8, utf-16, latin1. Empty: detected.",
    ),
    key(
        ("features.linear.number.impute", ""),
        "",
        IMPUTE_NUMBER,
        "\"median\"",
        "Linear models: what is put in the place of missing numbers.",
    ),
    key(("features.linear.number.fill", ""), "", Number, "0.0", "The number for impute = \"constant\"."),
    key(
        ("features.linear.number.indicator", ""),
        "",
        Switch,
        "false",
        "Whether a 0/1 column says where a number was missing.",
    ),
    key(("features.linear.number.scale", ""), "", SCALE, "\"standard\"", "What numbers are brought to."),
    key(
        ("features.linear.category.impute", ""),
        "",
        IMPUTE_CATEGORY,
        "\"constant\"",
        "Linear models: what is put in the place of missing categories.",
    ),
    key(("features.linear.category.fill", ""), "", Text, "\"missing\"", "The level for impute = \"constant\"."),
    key(
        ("features.linear.category.indicator", ""),
        "",
        Switch,
        "false",
        "Whether a 0/1 column says where a category was missing.",
    ),
    key(
        ("features.linear.category.encode", ""),
        "",
        ENCODE,
        "\"one_hot\"",
        "What categories become. Linear models cannot read native ones.",
    ),
    key(
        ("features.linear.category.min_count", ""),
        "",
        Count,
        "1",
        "One-hot: levels with fewer rows share one column.",
    ),
    key(
        ("features.linear.category.max_levels", ""),
        "",
        Count,
        "0",
        "One-hot: at most this many columns, the rest share the last. 0: no limit.",
    ),
    key(
        ("features.trees.number.impute", ""),
        "",
        IMPUTE_NUMBER,
        "\"none\"",
        "Trees: what is put in the place of missing numbers. Trees learn from gaps, so nothing.",
    ),
    key(("features.trees.number.fill", ""), "", Number, "0.0", "The number for impute = \"constant\"."),
    key(
        ("features.trees.number.indicator", ""),
        "",
        Switch,
        "false",
        "Whether a 0/1 column says where a number was missing.",
    ),
    key(("features.trees.number.scale", ""), "", SCALE, "\"none\"", "What numbers are brought to."),
    key(
        ("features.trees.category.impute", ""),
        "",
        IMPUTE_CATEGORY,
        "\"none\"",
        "Trees: what is put in the place of missing categories.",
    ),
    key(("features.trees.category.fill", ""), "", Text, "\"missing\"", "The level for impute = \"constant\"."),
    key(
        ("features.trees.category.indicator", ""),
        "",
        Switch,
        "false",
        "Whether a 0/1 column says where a category was missing.",
    ),
    key(
        ("features.trees.category.encode", ""),
        "",
        ENCODE,
        "\"native\"",
        "What categories become: trees split native ones as sets of levels.",
    ),
    key(("features.trees.category.min_count", ""), "", Count, "1", "One-hot: levels with fewer rows share one column."),
    key(
        ("features.trees.category.max_levels", ""),
        "",
        Count,
        "0",
        "One-hot: at most this many columns, the rest share the last. 0: no limit.",
    ),
    key(
        ("split.seed", "split-seed"),
        "N",
        Count,
        "42",
        "Places of rows follow from it. Apart from the learners' seed.",
    ),
    key(("split.train", ""), "", Number, "", "Share of the rows to fit on. Absent: 0.70, for a regression 0.64."),
    key(
        ("split.validation", ""),
        "",
        Number,
        "",
        "Share of the rows to compare on. Absent: 0.15, for a regression 0.16.",
    ),
    key(
        ("split.test", ""),
        "",
        Number,
        "",
        "Share of the rows to score the stored model on. Absent: 0.15, for a regression 0.20.",
    ),
    key(
        ("split.stratify", ""),
        "",
        Switch,
        "",
        "Whether classes keep their shares in every part. Absent: for classification.",
    ),
    key(("split.group", "group"), "COL", Text, "\"\"", "Rows of one group stay on one side of every split."),
    key(("split.time", "time"), "COL", Text, "\"\"", "Orders the rows: train before validation before test."),
    key(("split.column", "split-column"), "COL", Text, "\"\"", "Says train, validation or test for each row."),
    key(("split.files", "test"), "FILE", List, "[]", "Files whose rows are the test part."),
    key(
        ("split.like", "split-like"),
        "MODEL",
        Text,
        "\"\"",
        "Model file whose split is repeated on grown data: no row that it was tested on is trained on.",
    ),
    key(
        ("split.holdout", "holdout"),
        "HOW",
        Choice(&["split", "none"]),
        "\"split\"",
        "split keeps validation and test parts back; none trains on every row.",
    ),
    key(
        ("split.duplicates", ""),
        "",
        Choice(&["apart", "together"]),
        "\"apart\"",
        "together keeps equal rows on one side of every split.",
    ),
    key(
        ("selection.metric", "metric"),
        "METRIC",
        Text,
        "\"\"",
        "What decides. Empty: roc_auc (binary), log_loss (multiclass), rmse (regression).",
    ),
    key(
        ("selection.on", "select-on"),
        "WHERE",
        Choice(&["cv", "validation"]),
        "\"cv\"",
        "Where it is measured: the mean over the folds, or the validation part.",
    ),
    key(("selection.folds", "folds"), "N", Count, "5", "Folds of the cross-validation. 0: none."),
    key(("selection.repeats", "repeats"), "N", Count, "1", "How often the folds are dealt anew."),
    key(
        ("train.candidates", "candidates"),
        "A,B",
        List,
        "[]",
        "Names of candidates. Empty: those of [candidates], else every type that can learn the task.",
    ),
    key(("train.seed", "seed"), "N", Count, "42", "Seed of the learners."),
    key(
        ("train.threads", "threads"),
        "N",
        Count,
        "0",
        "Number of threads. 0: one for each core. The result is the same.",
    ),
    key(
        ("train.memory_limit", "memory-limit"),
        "SIZE",
        Text,
        "\"\"",
        "Most memory to take, such as 512MB, 4GB or 4GiB: rows stream, numbers have fewer bins, then rows are sampled, and a warning says so. Empty: no limit.",
    ),
    key(
        ("train.rows_from", ""),
        "",
        Choice(&["auto", "memory", "stream"]),
        "\"auto\"",
        "memory holds the table; stream reads the files in each pass, for tree candidates without folds. auto: large files stream where they can. The model is the same.",
    ),
    key(
        ("train.output", "output"),
        "FILE",
        Text,
        "\"model.tw\"",
        "The model file. With a name and without this, the model is written into the home alone.",
    ),
    key(
        ("train.name", "name"),
        "NAME",
        Text,
        "\"\"",
        "Registers the model as the next version of this name. Empty: it is not registered.",
    ),
    key(("train.record", ""), "", Switch, "true", "Whether the run is recorded in the home. --no-record turns it off."),
    key(("train.tags", "tag"), "NAME=VALUE", Pairs, "{}", "Tags of the run."),
    key(("train.note", "note"), "TEXT", Text, "\"\"", "A note on the run."),
    key(("project.name", "project"), "NAME", Text, "\"default\"", "The project that runs are recorded under."),
    key(("project.experiment", "experiment"), "NAME", Text, "\"default\"", "The experiment within the project."),
    key(
        ("project.primary_metric", ""),
        "",
        Text,
        "\"\"",
        "The metric that runs are compared by, such as test.roc_auc. Empty: the one that decided in each run.",
    ),
    key(("project.objective", ""), "", Text, "\"\"", "What the models are for, for the model card."),
    key(("card.owner", ""), "", Text, "\"\"", "For the model card: who answers for the model, and how to reach them."),
    key(("card.data_sources", ""), "", Text, "\"\"", "For the model card: where the data comes from."),
    key(
        ("card.business_impact", ""),
        "",
        Text,
        "\"\"",
        "For the model card: what the model is worth to those who use it.",
    ),
    key(
        ("card.deployment", ""),
        "",
        Text,
        "\"\"",
        "For the model card: how it is deployed: a nightly batch, a service, a report.",
    ),
    key(("card.infrastructure", ""), "", Text, "\"\"", "For the model card: on what it runs."),
    key(("card.monitoring", ""), "", Text, "\"\"", "For the model card: how it is watched, and by whom."),
    key(("card.retraining_schedule", ""), "", Text, "\"\"", "For the model card: when it is trained again."),
    key(
        ("card.monitoring_thresholds", ""),
        "",
        Text,
        "\"\"",
        "For the model card: from which values on somebody is told.",
    ),
    key(("card.drift_detection", ""), "", Text, "\"\"", "For the model card: how a change of the data is noticed."),
    key(("card.rollback_plan", ""), "", Text, "\"\"", "For the model card: what is done when it fails."),
    key(
        ("card.limitations", ""),
        "",
        Text,
        "\"\"",
        "For the model card: what it must not be used for, and where it is known to fail.",
    ),
    key(
        ("store.database", ""),
        "",
        Text,
        "\"\"",
        "Where runs and models are kept: postgres://user@host/name, or env:NAME or file:PATH that holds this. Empty: SQLite in the home.",
    ),
    key(
        ("store.files", ""),
        "",
        Text,
        "\"\"",
        "Where models and files are kept: s3://bucket/prefix, or env:NAME or file:PATH that holds this. Keys, region and endpoint come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL. Empty: a folder in the home.",
    ),
    key(
        ("registry.gate.metrics", ""),
        "",
        Numbers,
        "{}",
        "The worst value of each metric that may be promoted, such as { \"test.roc_auc\" = 0.8, \"test.log_loss\" = 0.5 }: the least where larger is better, else the most.",
    ),
    key(
        ("registry.gate.not_worse", ""),
        "",
        Switch,
        "true",
        "Whether a version must not be worse than the one that the alias points to, beyond noise, on rows that neither was fitted on.",
    ),
    key(("registry.gate.max_latency_ms", ""), "", Number, "", "Most milliseconds to predict one row. Absent: any."),
    key(("registry.gate.max_size", ""), "", Text, "\"\"", "Largest model file, such as 50MB. Empty: any."),
    key(
        ("registry.gate.no_findings", ""),
        "",
        List,
        "[]",
        "Codes of findings that a version must not have, such as target_leak.",
    ),
    key(
        ("registry.gate.slices", ""),
        "",
        Numbers,
        "{}",
        "The worst value of the metric that decided in each slice, on rows that the version was not fitted on.",
    ),
    key(
        ("registry.slices", ""),
        "",
        Pairs,
        "{}",
        "Named parts of the rows, such as { seniors = \"age >= 65 and plan = 'basic'\" }.",
    ),
    key(
        ("serve.host", "host"),
        "ADDRESS",
        Text,
        "\"127.0.0.1\"",
        "The address to listen on. Any but loopback needs a token.",
    ),
    key(("serve.port", "port"), "PORT", Port, "8080", "The port; 0 takes a free one."),
    key(
        ("serve.default", "default"),
        "NAME",
        Text,
        "\"\"",
        "The model of routes that name none, such as /invocations. Empty: the only one.",
    ),
    key(("serve.insecure", "insecure"), "", Switch, "false", "Lets everybody in, on any address, without a token."),
    key(
        ("serve.require_token", "require-token"),
        "",
        Switch,
        "false",
        "Asks for a token on loopback too, as behind a proxy.",
    ),
    key(
        ("serve.token", "token"),
        "SECRET",
        Text,
        "\"\"",
        "A token for predictions that is in no store: env:NAME or file:PATH that holds it.",
    ),
    key(
        ("serve.tls_certificate", "tls-certificate"),
        "FILE",
        Text,
        "\"\"",
        "The certificate and its chain, PEM. Empty: no TLS.",
    ),
    key(("serve.tls_key", "tls-key"), "FILE", Text, "\"\"", "The key of the certificate, PEM."),
    key(
        ("serve.hosts", "hosts"),
        "NAME",
        List,
        "[]",
        "Names that the server goes by. Empty: those of loopback there, any elsewhere.",
    ),
    key(
        ("serve.origins", "origins"),
        "ORIGIN",
        List,
        "[]",
        "Origins whose pages may ask, such as https://app.example.",
    ),
    key(
        ("serve.canary", "canary"),
        "MODEL=SHARE",
        Numbers,
        "{}",
        "Versions that answer a share of the requests of their model, such as { \"churn@challenger\" = 0.1 }.",
    ),
    key(
        ("serve.canary_key", "canary-key"),
        "NAME=COL",
        Pairs,
        "{}",
        "For a model the column whose value decides whether its canary answers. Absent: the key of the request, else chance.",
    ),
    key(
        ("serve.shadow", "shadow"),
        "MODEL",
        List,
        "[]",
        "Versions that are asked as well and compared; nobody gets their answers.",
    ),
    key(("serve.threads", "threads"), "N", Count, "0", "Threads that answer. 0: one for each core."),
    key(("serve.max_body", ""), "", Text, "\"64MB\"", "Largest JSON document, packed and unpacked."),
    key(
        ("serve.max_bulk_body", ""),
        "",
        Text,
        "\"4GB\"",
        "Largest body of rows as CSV, JSON Lines or Arrow, packed and unpacked. Large ones lie in temporary files.",
    ),
    key(("serve.max_rows", ""), "", Count, "100000", "Most rows of a JSON document."),
    key(("serve.max_columns", ""), "", Count, "20000", "Most columns of a row."),
    key(("serve.max_connections", ""), "", Count, "1024", "Most connections at a time."),
    key(
        ("serve.max_queue", ""),
        "",
        Count,
        "1024",
        "Most requests that wait for a processor; beyond, they are refused.",
    ),
    key(
        ("serve.max_wait", ""),
        "",
        Number,
        "0.1",
        "Longest time in seconds that a request is expected to wait for a processor; beyond, it is refused. A tenth of it once the queue has stood for so long.",
    ),
    key(("serve.header_time", ""), "", Number, "10", "Seconds for the head of a request."),
    key(
        ("serve.idle_time", ""),
        "",
        Number,
        "75",
        "Seconds that a connection without a request is left open; longer than a balancer keeps it.",
    ),
    key(("serve.request_time", ""), "", Number, "60", "Seconds for the body of a request to come."),
    key(
        ("serve.drain_delay", ""),
        "",
        Number,
        "0",
        "Seconds that the server answers on after it was asked to end, while it says that it is not ready.",
    ),
    key(("serve.drain_time", ""), "", Number, "30", "Seconds that requests under way are waited for."),
    key(
        ("serve.log_format", "log-format"),
        "FORMAT",
        Choice(&["text", "json"]),
        "\"text\"",
        "How log lines are written: text or json.",
    ),
    key(
        ("serve.log_level", "log-level"),
        "LEVEL",
        Text,
        "\"info\"",
        "What is logged: error, warn, info, debug or trace, or a list such as warn,tabwright_server=debug. With debug every request.",
    ),
    key(
        ("serve.otel_endpoint", ""),
        "",
        Text,
        "\"\"",
        "Where traces go by the OpenTelemetry protocol over HTTP, such as http://127.0.0.1:4318/v1/traces. Needs the cargo feature otel.",
    ),
    key(
        ("monitor.drift_test", "test"),
        "TEST",
        Text,
        "\"\"",
        "The test of drift: ks, chisquare, homogeneity, z, wasserstein, jensenshannon, psi or hellinger. Empty: by kind and number of rows.",
    ),
    key(
        ("monitor.drift_tests", "drift-tests"),
        "COL=TEST",
        Pairs,
        "{}",
        "Tests of single columns, such as { plan = \"psi\" }.",
    ),
    key(
        ("monitor.drift_threshold", "threshold"),
        "T",
        Text,
        "\"\"",
        "Where drift begins: a number, or auto to calibrate it on the reference. Empty: p < 0.05, a distance of at least 0.1.",
    ),
    key(
        ("monitor.drift_thresholds", "drift-thresholds"),
        "COL=T",
        Pairs,
        "{}",
        "Where it begins in single columns, such as { age = \"0.2\" }.",
    ),
    key(
        ("monitor.drift_share", "drift-share"),
        "SHARE",
        Number,
        "0.5",
        "Share of the columns that makes the whole drift.",
    ),
    key(
        ("monitor.false_alarm_rate", "false-alarm-rate"),
        "RATE",
        Number,
        "0.05",
        "How often a calibrated threshold may be exceeded without drift.",
    ),
    key(
        ("monitor.missing_change", ""),
        "",
        Number,
        "0.05",
        "Least change of the share of missing values that matters.",
    ),
];

/// The key of a name.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|k| k.name == name)
}

/// The environment variable that sets a key.
pub(crate) fn variable(key: &Key) -> String {
    format!("TABWRIGHT_{}", key.name.replace('.', "_").to_uppercase())
}
