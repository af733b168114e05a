-- The hub's store. Times are Unix seconds in UTC, ids are UUIDs as text, everything binary is a BLOB; an auditor can
-- read it all with the sqlite3 shell. No secret is in it: keys are Argon2id hashes, selectors are random bytes.

-- Which peppers the store's keys were minted with: a fingerprint tells them apart and gives nothing away.
CREATE TABLE peppers (
    id          INTEGER PRIMARY KEY,
    fingerprint BLOB    NOT NULL UNIQUE CHECK (length(fingerprint) = 32),
    created_at  INTEGER NOT NULL
) STRICT;

-- owner, resource and lifecycle are the mark of the reconciler that manages the row; all three or none.
CREATE TABLE farms (
    id               TEXT    PRIMARY KEY NOT NULL,
    display_name     TEXT    NOT NULL,
    farmer_name      TEXT    NOT NULL,
    farmer_contact   TEXT,
    lifetime_seconds INTEGER CHECK (lifetime_seconds > 0),
    owner            TEXT,
    resource         TEXT,
    lifecycle        TEXT,
    created_by       TEXT    NOT NULL,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    revoked_at       INTEGER,
    revoked_by       TEXT,
    CHECK ((owner IS NULL) = (resource IS NULL)),
    CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
) STRICT;

CREATE TABLE provisioning_keys (
    id                 TEXT    PRIMARY KEY NOT NULL,
    farm_id            TEXT    NOT NULL REFERENCES farms (id),
    selector           BLOB    NOT NULL UNIQUE CHECK (length(selector) = 4),
    key_hash           TEXT    NOT NULL CHECK (key_hash LIKE '$argon2id$%'),
    pepper_id          INTEGER NOT NULL REFERENCES peppers (id),
    note               TEXT,
    created_by         TEXT    NOT NULL,
    created_at         INTEGER NOT NULL,
    expires_at         INTEGER NOT NULL CHECK (expires_at > created_at),
    used_at            INTEGER,
    used_by_request_id TEXT,
    revoked            INTEGER NOT NULL DEFAULT 0 CHECK (revoked IN (0, 1)),
    revoked_at         INTEGER,
    revoked_by         TEXT,
    failed_attempts    INTEGER NOT NULL DEFAULT 0,
    delivered_at       INTEGER,
    reissue            TEXT,
    owner              TEXT,
    resource           TEXT,
    lifecycle          TEXT,
    CHECK ((owner IS NULL) = (resource IS NULL)),
    CHECK (revoked = (revoked_at IS NOT NULL)),
    CHECK (revoked = 0 OR used_at IS NULL)
) STRICT;
CREATE INDEX provisioning_keys_farm_id ON provisioning_keys (farm_id);
CREATE INDEX provisioning_keys_expires_at ON provisioning_keys (expires_at);
CREATE INDEX provisioning_keys_revoked ON provisioning_keys (revoked);
CREATE INDEX provisioning_keys_live ON provisioning_keys (farm_id) WHERE used_at IS NULL AND revoked = 0;

-- Written with the claim, before anything is signed. UNIQUE (key_id) is the second net under the claim.
CREATE TABLE csr_requests (
    id          TEXT    PRIMARY KEY NOT NULL,
    key_id      TEXT    NOT NULL UNIQUE REFERENCES provisioning_keys (id),
    csr_sha256  BLOB    NOT NULL CHECK (length(csr_sha256) = 32),
    csr_pem     TEXT    NOT NULL,
    spki_sha256 BLOB    NOT NULL CHECK (length(spki_sha256) = 32),
    serial      BLOB    NOT NULL UNIQUE,
    not_before  INTEGER NOT NULL,
    not_after   INTEGER NOT NULL,
    certificate TEXT,
    fingerprint BLOB,
    remote_addr TEXT,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE issuers (
    id         TEXT    PRIMARY KEY NOT NULL,
    subject    TEXT    NOT NULL,
    not_after  INTEGER NOT NULL,
    key_ref    TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- key_id is NULL for renewals; UNIQUE ignores NULLs.
CREATE TABLE certificates (
    serial      BLOB    PRIMARY KEY NOT NULL,
    farm_id     TEXT    NOT NULL REFERENCES farms (id),
    key_id      TEXT    UNIQUE REFERENCES provisioning_keys (id),
    issuer_id   TEXT    NOT NULL REFERENCES issuers (id),
    fingerprint BLOB    NOT NULL UNIQUE,
    not_before  INTEGER NOT NULL,
    not_after   INTEGER NOT NULL,
    revoked_at  INTEGER,
    reason      TEXT,
    replaced_by BLOB
) STRICT;
CREATE INDEX certificates_farm_id ON certificates (farm_id);

CREATE TABLE crl (
    issuer_id   TEXT    NOT NULL REFERENCES issuers (id),
    number      INTEGER NOT NULL,
    der         BLOB    NOT NULL,
    next_update INTEGER NOT NULL,
    PRIMARY KEY (issuer_id, number)
) STRICT;

-- hash = SHA-256(prev || entry); the first prev is 32 zero bytes. Written in the transaction of what it records.
CREATE TABLE audit_log (
    seq   INTEGER PRIMARY KEY,
    prev  BLOB    NOT NULL CHECK (length(prev) = 32),
    entry TEXT    NOT NULL,
    hash  BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32)
) STRICT;
