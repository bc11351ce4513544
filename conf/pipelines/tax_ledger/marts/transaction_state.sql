-- The fold of a taxed transaction, in the order of (effective_at, service_sequence, event_id): what it
-- was sold for, and the tax on it, after corrections, credit notes and reversals.
WITH undone AS (
  SELECT DISTINCT r.reverses AS event_id, r.document_date -- of another date it reverses nothing: see out_of_balance
  FROM ledger_events r
  WHERE r.event_type = 'event.reversed' AND r.reverses IS NOT NULL
),
counted AS (
  SELECT
    e.*,
    e.event_type <> 'event.reversed' AND u.event_id IS NULL AS stands,
    CASE
      WHEN e.event_type IN ('invoice.finalised', 'invoice.corrected') THEN 1
      WHEN e.event_type = 'credit_note.issued' THEN -1
      ELSE 0
    END AS direction
  FROM ledger_events e
  LEFT JOIN undone u ON u.event_id = e.event_id AND u.document_date = e.document_date
)
SELECT
  transaction_id,
  currency,
  document_date,
  max_by(invoice_id, struct(effective_at, service_sequence, event_id)) AS invoice_id,
  max_by(jurisdiction, struct(effective_at, service_sequence, event_id)) AS jurisdiction,
  CAST(sum(CASE WHEN stands THEN direction * net_amount ELSE 0 END) AS DECIMAL(28,3)) AS taxable_amount,
  CAST(sum(CASE WHEN stands THEN direction * tax_amount ELSE 0 END) AS DECIMAL(28,3)) AS tax_amount,
  count_if(stands AND event_type = 'invoice.corrected') AS corrections,
  count_if(event_type = 'event.reversed') AS reversals,
  count(*) AS events,
  max_by(event_type, struct(effective_at, service_sequence, event_id)) AS last_event_type,
  max_by(event_id, struct(effective_at, service_sequence, event_id)) AS last_event_id,
  max(effective_at) AS last_effective_at
FROM counted
GROUP BY transaction_id, currency, document_date -- the partition is part of the key, so that a rebuild reads its own rows only
