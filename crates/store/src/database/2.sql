ALTER TABLE runs ADD COLUMN deleted_by {text};
CREATE INDEX runs_by_deletion ON runs (deleted) WHERE deleted IS NOT NULL;
CREATE INDEX run_files_by_file ON run_files (file);

ALTER TABLE versions ADD COLUMN deleted_by {text};
CREATE INDEX versions_by_deletion ON versions (deleted) WHERE deleted IS NOT NULL;

CREATE TABLE version_events (
    id {id},
    model BIGINT NOT NULL REFERENCES models (id),
    version BIGINT NOT NULL,
    event {text} NOT NULL,
    at BIGINT NOT NULL,
    who {text} NOT NULL,
    why {text} NOT NULL
);
CREATE INDEX version_events_by_model ON version_events (model, id);

CREATE TABLE tabwright_file (identity {text} NOT NULL);
INSERT INTO tabwright_file VALUES ('');
