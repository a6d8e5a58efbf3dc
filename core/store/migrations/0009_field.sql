-- migrate:up
-- Written by the console alone: what a technician photographed and who signed. The bytes stand here and not in a folder, so that one
-- backup holds the record of an incident whole.

CREATE TABLE order_attachments (
    attachment_id uuid PRIMARY KEY,
    order_id      uuid NOT NULL REFERENCES work_orders,
    kind          text NOT NULL CHECK (kind IN ('photo', 'signature')),
    media_type    text NOT NULL CHECK (media_type IN ('image/jpeg', 'image/png', 'image/webp')),
    bytes         bytea NOT NULL CHECK (octet_length(bytes) BETWEEN 1 AND 3000000),
    size          integer NOT NULL,
    sha256        bytea NOT NULL,
    happened_ms   bigint NOT NULL,
    received_ms   bigint NOT NULL,
    lon           double precision,
    lat           double precision,
    coord_datum   text CHECK (coord_datum IN ('WGS-84', 'GCJ-02')),
    made_by       text NOT NULL,
    CHECK ((lon IS NULL) = (lat IS NULL) AND (lon IS NULL) = (coord_datum IS NULL))
);
COMMENT ON TABLE order_attachments IS 'photos and signatures of orders, as the phone stamped them; never changed';
COMMENT ON COLUMN order_attachments.happened_ms IS 'when it was taken; a phone without reception sends it later';
COMMENT ON COLUMN order_attachments.made_by IS 'the technician, or the name of whoever was signed in';
-- Already compressed: trying again only costs time.
ALTER TABLE order_attachments ALTER COLUMN bytes SET STORAGE EXTERNAL;
CREATE INDEX order_attachments_order ON order_attachments (order_id, happened_ms);

CREATE TRIGGER order_attachments_notice AFTER INSERT ON order_attachments
    FOR EACH ROW EXECUTE FUNCTION notify_change('attachment', 'attachment_id');

-- migrate:down
DROP TABLE order_attachments;
