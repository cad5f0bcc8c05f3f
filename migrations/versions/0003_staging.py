"""Where uploads are copied to, and the one door from there into the log.

COPY is refused on a table with forced row-level security. So an upload is copied into a table of
its own, without keys or policies, in a schema that the services' role cannot see; one function
call makes it visible, whole or not at all.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

OPEN = """
CREATE FUNCTION staging.open(import_id uuid, kind text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    name text := 'import_' || replace(import_id::text, '-', '');
BEGIN
    EXECUTE format('DROP TABLE IF EXISTS staging.%I', name);
    IF kind = 'interactions' THEN
        EXECUTE format('CREATE UNLOGGED TABLE staging.%I (line bigint, user_id text, item_id text,
            type text, value float8, "timestamp" timestamptz, event_id text, text text,
            "position" int, split text, recommendation_id text)', name);
    ELSIF kind IN ('users', 'items') THEN
        EXECUTE format('CREATE UNLOGGED TABLE staging.%I (line bigint, id text, text text,
            attributes jsonb)', name);
    ELSE
        RAISE EXCEPTION 'no such kind of import: %', kind;
    END IF;
    EXECUTE format('GRANT INSERT, SELECT ON staging.%I TO winnow_ingest', name);
    RETURN name;
END
$$;
"""

# Fenced by the import's token: a worker that lost its lease publishes nothing. The dataset's row is
# locked first, as every other writer does: two that met at a profile would wait for each other.
PUBLISH = """
CREATE FUNCTION staging.publish(p_import uuid, p_token bigint, p_accepted bigint,
    p_duplicates bigint, p_rejected bigint, p_errors jsonb, p_errors_path text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    name text := 'import_' || replace(p_import::text, '-', '');
    i imports%ROWTYPE;
    unknown bigint;
    first bigint;
BEGIN
    SELECT * INTO i FROM imports WHERE id = p_import AND lease_token = p_token
        AND visible_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM FROM datasets WHERE id = i.dataset_id FOR NO KEY UPDATE;
    IF i.kind = 'interactions' AND EXISTS (SELECT FROM datasets d WHERE d.id = i.dataset_id
            AND (d.settings->>'require_known_ids')::boolean) THEN
        EXECUTE format('SELECT count(*), min(line) FROM staging.%I s
            WHERE NOT EXISTS (SELECT FROM users u
                WHERE u.dataset_id = $1 AND u.id = s.user_id COLLATE "C")
            OR NOT EXISTS (SELECT FROM items t
                WHERE t.dataset_id = $1 AND t.id = s.item_id COLLATE "C")', name)
            INTO unknown, first USING i.dataset_id;
        IF unknown > 0 THEN
            RAISE EXCEPTION USING ERRCODE = 'WN001', MESSAGE = format(
                '%s rows name a user or an item that was not uploaded, the first in line %s.',
                unknown, first);
        END IF;
    END IF;
    IF i.kind = 'interactions' THEN
        EXECUTE format('INSERT INTO interactions (project_id, dataset_id, import_id, user_id,
            item_id, type, value, "timestamp", event_id, text, "position", split,
            recommendation_id)
            SELECT $1, $2, $3, user_id, item_id, type, value, "timestamp", event_id, text,
            "position", split, recommendation_id FROM staging.%I ORDER BY line', name)
            USING i.project_id, i.dataset_id, i.id;
    ELSE
        EXECUTE format('INSERT INTO %I (project_id, dataset_id, id, text, text_sha256, attributes)
            SELECT DISTINCT ON (id COLLATE "C") $1, $2, id, nullif(text, ''''),
                   sha256(convert_to(nullif(text, ''''), ''UTF8'')), coalesce(attributes, ''{}'')
            FROM staging.%I ORDER BY id COLLATE "C", line DESC
            ON CONFLICT (dataset_id, id) DO UPDATE SET text = excluded.text,
                text_sha256 = excluded.text_sha256, attributes = excluded.attributes,
                updated_at = now()', i.kind, name)
            USING i.project_id, i.dataset_id;
    END IF;
    UPDATE imports SET visible_at = now(), accepted = p_accepted, duplicates = p_duplicates,
        rejected = p_rejected, errors = p_errors, errors_path = p_errors_path WHERE id = p_import;
    UPDATE datasets SET version = version + 1 WHERE id = i.dataset_id;
    EXECUTE format('DROP TABLE staging.%I', name);
    RETURN true;
END
$$;
"""

SIGNATURES = (
    "staging.open(uuid, text)",
    "staging.publish(uuid, bigint, bigint, bigint, bigint, jsonb, text)",
)


def upgrade() -> None:
    """Make the staging schema and its two functions."""
    op.execute("CREATE SCHEMA staging")
    op.execute("REVOKE ALL ON SCHEMA staging FROM PUBLIC")
    op.execute("GRANT USAGE ON SCHEMA staging TO winnow_ingest")
    for definition in (OPEN, PUBLISH):
        op.execute(definition)
    for signature in SIGNATURES:
        op.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO winnow_ingest")


def downgrade() -> None:
    """Drop the staging schema with what waits in it."""
    op.execute("DROP SCHEMA staging CASCADE")
