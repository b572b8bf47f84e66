CREATE TABLE tokens (
    id {id},
    token_id {text} NOT NULL UNIQUE,
    name {text} NOT NULL,
    scope {text} NOT NULL,
    hash {text} NOT NULL UNIQUE,
    created BIGINT NOT NULL,
    expires BIGINT,
    revoked BIGINT
);
CREATE UNIQUE INDEX tokens_by_name ON tokens (name) WHERE revoked IS NULL;
