CREATE TABLE experiments (
    id {id},
    project {text} NOT NULL,
    name {text} NOT NULL,
    created BIGINT NOT NULL,
    UNIQUE (project, name)
);

CREATE TABLE runs (
    id {id},
    run_id {text} NOT NULL UNIQUE,
    experiment BIGINT NOT NULL REFERENCES experiments (id),
    parent BIGINT REFERENCES runs (id),
    kind {text} NOT NULL,
    name {text} NOT NULL,
    status {text} NOT NULL,
    started BIGINT NOT NULL,
    ended BIGINT,
    primary_metric {text} NOT NULL,
    note {text} NOT NULL,
    info {text} NOT NULL,
    deleted BIGINT
);
CREATE INDEX runs_by_start ON runs (started, id);
CREATE INDEX runs_by_parent ON runs (parent);
CREATE INDEX runs_by_experiment ON runs (experiment);
CREATE INDEX runs_by_status ON runs (status);

CREATE TABLE params (
    name {text} NOT NULL,
    run BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    value {text} NOT NULL,
    number {real},
    PRIMARY KEY (name, run)
){clustered};
CREATE INDEX params_by_run ON params (run);

CREATE TABLE tags (
    name {text} NOT NULL,
    run BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    value {text} NOT NULL,
    PRIMARY KEY (name, run)
){clustered};
CREATE INDEX tags_by_run ON tags (run);

CREATE TABLE metrics (
    id {id},
    run BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    name {text} NOT NULL,
    points BIGINT NOT NULL,
    defined BIGINT NOT NULL,
    last {real},
    last_step BIGINT NOT NULL,
    low {real},
    high {real},
    total {real},
    UNIQUE (run, name)
);
CREATE INDEX metrics_by_value ON metrics (name, last, run);

CREATE TABLE metric_points (
    metric BIGINT NOT NULL REFERENCES metrics (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    step BIGINT NOT NULL,
    at BIGINT NOT NULL,
    value {real},
    PRIMARY KEY (metric, number)
){clustered};

CREATE TABLE run_files (
    run BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    path {text} NOT NULL,
    file {text} NOT NULL,
    size BIGINT NOT NULL,
    PRIMARY KEY (run, path)
){clustered};

CREATE TABLE models (
    id {id},
    name {text} NOT NULL UNIQUE,
    created BIGINT NOT NULL,
    description {text} NOT NULL,
    last_version BIGINT NOT NULL
);

CREATE TABLE versions (
    id {id},
    model BIGINT NOT NULL REFERENCES models (id),
    version BIGINT NOT NULL,
    content_id {text} NOT NULL,
    file {text} NOT NULL,
    size BIGINT NOT NULL,
    run_id {text} NOT NULL,
    created BIGINT NOT NULL,
    description {text} NOT NULL,
    metrics {text} NOT NULL,
    evidence {text} NOT NULL,
    record {text} NOT NULL,
    info {text} NOT NULL,
    deleted BIGINT,
    UNIQUE (model, version)
);
CREATE INDEX versions_by_content ON versions (content_id);
CREATE INDEX versions_by_run ON versions (run_id);

CREATE TABLE version_tags (
    version BIGINT NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
    name {text} NOT NULL,
    value {text} NOT NULL,
    PRIMARY KEY (version, name)
){clustered};

CREATE TABLE aliases (
    model BIGINT NOT NULL REFERENCES models (id),
    alias {text} NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (model, alias)
){clustered};

CREATE TABLE alias_moves (
    id {id},
    model BIGINT NOT NULL REFERENCES models (id),
    alias {text} NOT NULL,
    from_version BIGINT,
    to_version BIGINT,
    action {text} NOT NULL,
    at BIGINT NOT NULL,
    who {text} NOT NULL,
    why {text} NOT NULL,
    verdict {text} NOT NULL
);
CREATE INDEX alias_moves_by_alias ON alias_moves (model, alias, id);
