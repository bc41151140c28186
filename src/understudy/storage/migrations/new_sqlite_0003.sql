CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE meta (
    "key" VARCHAR NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY ("key")
);
CREATE TABLE series (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    kind VARCHAR NOT NULL,
    name TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    deleted_ms BIGINT,
    CONSTRAINT uq_series_kind_name UNIQUE (kind, name)
);
CREATE TABLE hot_10s (
    ts BIGINT NOT NULL,
    api INTEGER NOT NULL,
    inst INTEGER NOT NULL,
    n BIGINT NOT NULL,
    ok BIGINT NOT NULL,
    err BIGINT NOT NULL,
    fallback_used BIGINT NOT NULL,
    retries BIGINT NOT NULL,
    lat_sum_us BIGINT NOT NULL,
    lat_min_us BIGINT NOT NULL,
    lat_max_us BIGINT NOT NULL,
    err_lat_sum_us BIGINT NOT NULL,
    cost_microunits BIGINT NOT NULL,
    classes BLOB,
    hist BLOB,
    CONSTRAINT pk_hot_10s PRIMARY KEY (ts, api, inst)
)
 WITHOUT ROWID;
CREATE TABLE hot_1m (
    ts BIGINT NOT NULL,
    api INTEGER NOT NULL,
    inst INTEGER NOT NULL,
    n BIGINT NOT NULL,
    ok BIGINT NOT NULL,
    err BIGINT NOT NULL,
    fallback_used BIGINT NOT NULL,
    retries BIGINT NOT NULL,
    lat_sum_us BIGINT NOT NULL,
    lat_min_us BIGINT NOT NULL,
    lat_max_us BIGINT NOT NULL,
    err_lat_sum_us BIGINT NOT NULL,
    cost_microunits BIGINT NOT NULL,
    classes BLOB,
    hist BLOB,
    CONSTRAINT pk_hot_1m PRIMARY KEY (ts, api, inst)
)
 WITHOUT ROWID;
CREATE TABLE roll_10s (
    api INTEGER NOT NULL,
    ts BIGINT NOT NULL,
    inst INTEGER NOT NULL,
    n BIGINT NOT NULL,
    ok BIGINT NOT NULL,
    err BIGINT NOT NULL,
    fallback_used BIGINT NOT NULL,
    retries BIGINT NOT NULL,
    lat_sum_us BIGINT NOT NULL,
    lat_min_us BIGINT NOT NULL,
    lat_max_us BIGINT NOT NULL,
    err_lat_sum_us BIGINT NOT NULL,
    cost_microunits BIGINT NOT NULL,
    classes BLOB,
    hist BLOB,
    CONSTRAINT pk_roll_10s PRIMARY KEY (api, ts, inst)
)
 WITHOUT ROWID;
CREATE TABLE roll_1m (
    api INTEGER NOT NULL,
    ts BIGINT NOT NULL,
    inst INTEGER NOT NULL,
    n BIGINT NOT NULL,
    ok BIGINT NOT NULL,
    err BIGINT NOT NULL,
    fallback_used BIGINT NOT NULL,
    retries BIGINT NOT NULL,
    lat_sum_us BIGINT NOT NULL,
    lat_min_us BIGINT NOT NULL,
    lat_max_us BIGINT NOT NULL,
    err_lat_sum_us BIGINT NOT NULL,
    cost_microunits BIGINT NOT NULL,
    classes BLOB,
    hist BLOB,
    CONSTRAINT pk_roll_1m PRIMARY KEY (api, ts, inst)
)
 WITHOUT ROWID;
CREATE TABLE roll_1h (
    api INTEGER NOT NULL,
    ts BIGINT NOT NULL,
    inst INTEGER NOT NULL,
    n BIGINT NOT NULL,
    ok BIGINT NOT NULL,
    err BIGINT NOT NULL,
    fallback_used BIGINT NOT NULL,
    retries BIGINT NOT NULL,
    lat_sum_us BIGINT NOT NULL,
    lat_min_us BIGINT NOT NULL,
    lat_max_us BIGINT NOT NULL,
    err_lat_sum_us BIGINT NOT NULL,
    cost_microunits BIGINT NOT NULL,
    classes BLOB,
    hist BLOB,
    CONSTRAINT pk_roll_1h PRIMARY KEY (api, ts, inst)
)
 WITHOUT ROWID;
CREATE TABLE roll_1d (
    api INTEGER NOT NULL,
    ts BIGINT NOT NULL,
    inst INTEGER NOT NULL,
    n BIGINT NOT NULL,
    ok BIGINT NOT NULL,
    err BIGINT NOT NULL,
    fallback_used BIGINT NOT NULL,
    retries BIGINT NOT NULL,
    lat_sum_us BIGINT NOT NULL,
    lat_min_us BIGINT NOT NULL,
    lat_max_us BIGINT NOT NULL,
    err_lat_sum_us BIGINT NOT NULL,
    cost_microunits BIGINT NOT NULL,
    classes BLOB,
    hist BLOB,
    CONSTRAINT pk_roll_1d PRIMARY KEY (api, ts, inst)
)
 WITHOUT ROWID;
CREATE TABLE sample (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    ts_ms BIGINT NOT NULL,
    route INTEGER NOT NULL,
    api INTEGER NOT NULL,
    outcome VARCHAR NOT NULL,
    status INTEGER,
    latency_us BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    endpoint TEXT NOT NULL,
    error_class VARCHAR NOT NULL,
    error TEXT NOT NULL,
    fingerprint VARCHAR NOT NULL,
    call_id VARCHAR NOT NULL,
    instance VARCHAR NOT NULL
);
CREATE INDEX ix_sample_ts ON sample (ts_ms, id);
CREATE INDEX ix_sample_api ON sample (api, ts_ms);
CREATE INDEX ix_sample_route ON sample (route, ts_ms, id);
CREATE INDEX ix_sample_outcome ON sample (outcome, ts_ms, id);
CREATE INDEX ix_sample_fingerprint ON sample (fingerprint, ts_ms, id);
CREATE INDEX ix_sample_call ON sample (call_id);
CREATE TABLE sample_record (
    id INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE sample_api (
    id BIGINT NOT NULL,
    api INTEGER NOT NULL,
    ts_ms BIGINT NOT NULL,
    CONSTRAINT pk_sample_api PRIMARY KEY (id, api)
)
 WITHOUT ROWID;
CREATE INDEX ix_sample_api_api ON sample_api (api, ts_ms, id);
CREATE TABLE error_group (
    fingerprint VARCHAR NOT NULL,
    api INTEGER NOT NULL,
    error_class VARCHAR NOT NULL,
    message TEXT NOT NULL,
    first_ms BIGINT NOT NULL,
    last_ms BIGINT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (fingerprint)
);
CREATE INDEX ix_error_group_last ON error_group (last_ms);
CREATE TABLE audit (
    seq INTEGER NOT NULL,
    ts_ms BIGINT NOT NULL,
    actor TEXT NOT NULL,
    ip VARCHAR NOT NULL,
    action VARCHAR NOT NULL,
    object TEXT NOT NULL,
    "before" TEXT NOT NULL,
    "after" TEXT NOT NULL,
    prev_hash VARCHAR NOT NULL,
    hash VARCHAR NOT NULL,
    ref VARCHAR NOT NULL,
    PRIMARY KEY (seq),
    CONSTRAINT uq_audit_ref UNIQUE (ref)
);
CREATE TABLE state (
    "key" VARCHAR NOT NULL,
    value TEXT NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY ("key")
);
CREATE TABLE seen (
    instance VARCHAR NOT NULL,
    boot VARCHAR NOT NULL,
    last_seq BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    CONSTRAINT pk_seen PRIMARY KEY (instance, boot)
);
CREATE INDEX ix_seen_at ON seen (at_ms);
CREATE TABLE leader (
    role VARCHAR NOT NULL,
    holder VARCHAR NOT NULL,
    token BIGINT NOT NULL,
    until_ms BIGINT NOT NULL,
    PRIMARY KEY (role)
);
CREATE TABLE instance (
    number INTEGER NOT NULL,
    holder VARCHAR NOT NULL,
    until_ms BIGINT NOT NULL,
    since_ms BIGINT NOT NULL,
    PRIMARY KEY (number)
);
INSERT INTO alembic_version (version_num) VALUES ('0001') RETURNING version_num;
CREATE TABLE alert_state (
    fingerprint VARCHAR NOT NULL,
    at_ms BIGINT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (fingerprint)
);
CREATE TABLE alert_episode (
    episode VARCHAR NOT NULL,
    fingerprint VARCHAR NOT NULL,
    number INTEGER NOT NULL,
    rule TEXT NOT NULL,
    rule_version INTEGER NOT NULL,
    labels TEXT NOT NULL,
    severity VARCHAR NOT NULL,
    peak VARCHAR NOT NULL,
    started_ms BIGINT NOT NULL,
    resolved_ms BIGINT,
    reason TEXT NOT NULL,
    value FLOAT,
    doc TEXT NOT NULL,
    PRIMARY KEY (episode)
);
CREATE UNIQUE INDEX uq_alert_episode_open ON alert_episode (fingerprint) WHERE resolved_ms IS NULL;
CREATE INDEX ix_alert_episode_fingerprint ON alert_episode (fingerprint, episode);
CREATE INDEX ix_alert_episode_rule ON alert_episode (rule, episode);
CREATE INDEX ix_alert_episode_resolved ON alert_episode (resolved_ms);
CREATE TABLE alert_event (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    event_id VARCHAR NOT NULL,
    episode VARCHAR NOT NULL,
    fingerprint VARCHAR NOT NULL,
    rule TEXT NOT NULL,
    kind VARCHAR NOT NULL,
    at_ms BIGINT NOT NULL,
    severity VARCHAR NOT NULL,
    actor TEXT NOT NULL,
    suppressed_by TEXT NOT NULL,
    notice BLOB NOT NULL,
    trace BLOB NOT NULL,
    CONSTRAINT uq_alert_event_event_id UNIQUE (event_id)
);
CREATE INDEX ix_alert_event_episode ON alert_event (episode, at_ms, id);
CREATE INDEX ix_alert_event_at ON alert_event (at_ms, id);
CREATE TABLE alert_signal (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    instance VARCHAR NOT NULL,
    at_ms BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE TABLE outbox (
    id VARCHAR NOT NULL,
    event_id VARCHAR NOT NULL,
    channel VARCHAR NOT NULL,
    destination TEXT NOT NULL,
    kind VARCHAR NOT NULL,
    severity VARCHAR NOT NULL,
    priority INTEGER NOT NULL,
    created_ms BIGINT NOT NULL,
    detected_ms BIGINT NOT NULL,
    deadline_ms BIGINT NOT NULL,
    not_before_ms BIGINT NOT NULL,
    fingerprint VARCHAR NOT NULL,
    episode VARCHAR NOT NULL,
    pager INTEGER NOT NULL,
    recipients TEXT NOT NULL,
    state VARCHAR NOT NULL,
    attempts INTEGER NOT NULL,
    plain INTEGER NOT NULL,
    ambiguous INTEGER NOT NULL,
    reason TEXT NOT NULL,
    told_in VARCHAR NOT NULL,
    group_key VARCHAR NOT NULL,
    instead_of VARCHAR NOT NULL,
    owner VARCHAR NOT NULL,
    token BIGINT NOT NULL,
    leased_ms BIGINT NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT uq_outbox_event_id_channel UNIQUE (event_id, channel)
)
 WITHOUT ROWID;
CREATE INDEX ix_outbox_pending ON outbox (id) WHERE state = 'pending';
CREATE INDEX ix_outbox_dead ON outbox (id) WHERE state = 'dead';
CREATE INDEX ix_outbox_suppressed ON outbox (created_ms, channel, reason) WHERE state = 'suppressed';
CREATE INDEX ix_outbox_episode ON outbox (episode, id) WHERE episode <> '';
CREATE INDEX ix_outbox_created ON outbox (created_ms, channel, state, ambiguous);
CREATE INDEX ix_outbox_channel ON outbox (channel, id);
CREATE TABLE outbox_notice (
    id VARCHAR NOT NULL,
    notice BLOB NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE delivery (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    row_id VARCHAR NOT NULL,
    token BIGINT NOT NULL,
    channel VARCHAR NOT NULL,
    number INTEGER NOT NULL,
    at_ms BIGINT NOT NULL,
    result VARCHAR NOT NULL,
    took_us BIGINT NOT NULL,
    status INTEGER,
    error TEXT NOT NULL,
    response TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    sent_bytes BIGINT NOT NULL,
    since_detected_us BIGINT,
    recipient TEXT NOT NULL,
    CONSTRAINT uq_delivery_attempt UNIQUE (row_id, token, number, at_ms, recipient)
);
CREATE INDEX ix_delivery_at ON delivery (at_ms, id, channel, result);
CREATE INDEX ix_delivery_channel ON delivery (channel, at_ms, id);
CREATE INDEX ix_delivery_error ON delivery (channel, at_ms) WHERE error <> '';
CREATE TABLE receipt (
    channel VARCHAR NOT NULL,
    episode VARCHAR NOT NULL,
    at_ms BIGINT NOT NULL,
    provider_id TEXT NOT NULL,
    data TEXT NOT NULL,
    CONSTRAINT pk_receipt PRIMARY KEY (channel, episode)
);
CREATE TABLE document (
    kind VARCHAR NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    at_ms BIGINT NOT NULL,
    actor TEXT NOT NULL,
    comment TEXT NOT NULL,
    doc TEXT,
    CONSTRAINT pk_document PRIMARY KEY (kind, name, version)
);
UPDATE alembic_version SET version_num='0002' WHERE alembic_version.version_num = '0001';
CREATE TABLE account (
    id VARCHAR NOT NULL,
    name TEXT NOT NULL,
    folded TEXT NOT NULL,
    role VARCHAR NOT NULL,
    password TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    password_ms BIGINT NOT NULL,
    signed_in_ms BIGINT NOT NULL,
    disabled TEXT NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT uq_account_folded UNIQUE (folded)
);
CREATE TABLE session (
    digest VARCHAR NOT NULL,
    account VARCHAR NOT NULL,
    created_ms BIGINT NOT NULL,
    seen_ms BIGINT NOT NULL,
    proved_ms BIGINT NOT NULL,
    ip VARCHAR NOT NULL,
    agent TEXT NOT NULL,
    PRIMARY KEY (digest)
);
CREATE INDEX ix_session_account ON session (account);
CREATE TABLE token (
    id VARCHAR NOT NULL,
    name TEXT NOT NULL,
    account VARCHAR NOT NULL,
    digest VARCHAR NOT NULL,
    scopes TEXT NOT NULL,
    apis TEXT NOT NULL,
    ips TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    used_ms BIGINT NOT NULL,
    used_ip VARCHAR NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE setup (
    digest VARCHAR NOT NULL,
    until_ms BIGINT NOT NULL,
    PRIMARY KEY (digest)
);
UPDATE alembic_version SET version_num='0003' WHERE alembic_version.version_num = '0002';
