WITH scored AS (
  SELECT transaction_id, max(risk_score) AS risk_score, count(*) AS events
  FROM payment_events
  GROUP BY transaction_id
)
SELECT
  t.transaction_id,
  t.merchant_id,
  to_date(t.created_at) AS transaction_date,
  t.processor,
  t.processor_ref,
  t.currency,
  t.amount,
  t.fee,
  t.status,
  t.created_at,
  t.captured_at,
  t.updated_at,
  s.risk_score,
  coalesce(s.events, 0) AS events,
  t._batch_id AS batch_id,
  t._extracted_at AS source_extracted_at
FROM transactions t
LEFT JOIN scored s ON s.transaction_id = t.transaction_id
