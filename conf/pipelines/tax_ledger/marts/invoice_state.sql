-- The fold of an invoice: its events in the order of (effective_at, service_sequence, event_id).
-- A reversal and the event that it reverses count for nothing from the reversal's effective time on;
-- a reversal of a reversal reverses nothing (post the event again instead).
WITH undone AS (
  SELECT DISTINCT r.reverses AS event_id, r.document_date -- of another date it reverses nothing: see out_of_balance
  FROM ledger_events r
  WHERE r.event_type = 'event.reversed' AND r.reverses IS NOT NULL
),
counted AS (
  SELECT
    e.*,
    e.net_amount + e.tax_amount AS gross,
    e.event_type <> 'event.reversed' AND u.event_id IS NULL AS stands,
    CASE
      WHEN e.event_type IN ('invoice.finalised', 'invoice.corrected', 'refund.issued') THEN 1
      WHEN e.event_type IN ('payment.received', 'credit_note.issued') THEN -1
      ELSE 0
    END AS direction
  FROM ledger_events e
  LEFT JOIN undone u ON u.event_id = e.event_id AND u.document_date = e.document_date
),
running AS (
  SELECT
    *,
    sum(CASE WHEN stands THEN direction * gross ELSE 0 END)
      OVER (PARTITION BY invoice_id, currency, document_date ORDER BY effective_at, service_sequence, event_id) AS due_after
  FROM counted
),
turned AS (
  SELECT
    *,
    due_after <= 0
      AND coalesce(lag(due_after) OVER (PARTITION BY invoice_id, currency, document_date ORDER BY effective_at, service_sequence, event_id), 0) > 0
      AS settles
  FROM running
),
folded AS (
  SELECT
    invoice_id,
    currency,
    document_date,
    count(*) AS events,
    CAST(sum(CASE WHEN stands AND event_type IN ('invoice.finalised', 'invoice.corrected') THEN gross ELSE 0 END) AS DECIMAL(28,3)) AS invoiced_amount,
    CAST(sum(CASE WHEN stands AND event_type = 'credit_note.issued' THEN gross ELSE 0 END) AS DECIMAL(28,3)) AS credited_amount,
    CAST(sum(CASE WHEN stands AND event_type = 'payment.received' THEN gross ELSE 0 END) AS DECIMAL(28,3)) AS paid_amount,
    CAST(sum(CASE WHEN stands AND event_type = 'refund.issued' THEN gross ELSE 0 END) AS DECIMAL(28,3)) AS refunded_amount,
    CAST(sum(CASE WHEN stands THEN direction * gross ELSE 0 END) AS DECIMAL(28,3)) AS due_amount,
    count_if(stands AND event_type = 'invoice.finalised') AS finalised,
    max(CASE WHEN settles THEN effective_at END) AS last_settled_at,
    max_by(event_type, struct(effective_at, service_sequence, event_id)) AS last_event_type,
    max_by(event_id, struct(effective_at, service_sequence, event_id)) AS last_event_id,
    max(effective_at) AS last_effective_at
  FROM turned
  GROUP BY invoice_id, currency, document_date -- the partition is part of the key, so that a rebuild reads its own rows only
)
SELECT
  invoice_id,
  currency,
  document_date,
  CASE
    WHEN finalised = 0 THEN 'void'
    WHEN due_amount > 0 THEN 'open'
    WHEN due_amount < 0 THEN 'overpaid'
    ELSE 'settled'
  END AS status,
  invoiced_amount,
  credited_amount,
  paid_amount,
  refunded_amount,
  due_amount,
  CASE WHEN due_amount <= 0 AND finalised > 0 THEN last_settled_at END AS settled_at,
  events,
  last_event_type,
  last_event_id,
  last_effective_at
FROM folded
