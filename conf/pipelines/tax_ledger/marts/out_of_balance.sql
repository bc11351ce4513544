-- Every reason to doubt the books, one row each; `is_blocking` rows keep a publication from being served.
WITH chains AS ( -- an event together with what reverses it: a mistake and its reversal cancel out
  SELECT chain_id, currency, sum(debit) - sum(credit) AS difference
  FROM postings
  GROUP BY chain_id, currency
  HAVING sum(debit) <> sum(credit) OR bool_or(account IS NULL)
),
receivables AS (
  SELECT invoice_id, currency, sum(debit) - sum(credit) AS balance
  FROM postings
  WHERE account = 'receivable'
  GROUP BY invoice_id, currency
),
reversals AS (
  SELECT r.event_id, r.currency, t.event_id AS target_id, t.event_type AS target_type, t.currency AS target_currency,
    r.document_date <> t.document_date AS is_dated_otherwise,
    count(*) OVER (PARTITION BY r.reverses) AS times
  FROM ledger_events r
  LEFT JOIN ledger_events t ON t.event_id = r.reverses
  WHERE r.event_type = 'event.reversed'
)
SELECT
  CASE WHEN difference <> 0 THEN 'entries differ' ELSE 'an entry without account' END AS problem,
  chain_id AS subject, currency, CAST(difference AS DECIMAL(28,3)) AS difference, true AS is_blocking
FROM chains
UNION ALL
SELECT 'state differs from receivables', i.invoice_id, i.currency, CAST(i.due_amount - coalesce(r.balance, 0) AS DECIMAL(28,3)), false
FROM invoice_state i
LEFT JOIN receivables r ON r.invoice_id = i.invoice_id AND r.currency = i.currency
WHERE i.due_amount <> coalesce(r.balance, 0)
UNION ALL
SELECT
  CASE
    WHEN target_id IS NULL THEN 'reverses an event that has not arrived'
    WHEN target_type = 'event.reversed' THEN 'reverses a reversal'
    WHEN target_currency <> currency THEN 'reverses another currency'
    WHEN is_dated_otherwise THEN 'reverses an event of another document date'
    ELSE 'reversed more than once'
  END,
  event_id, currency, CAST(0 AS DECIMAL(28,3)), false
FROM reversals
WHERE target_id IS NULL OR target_type = 'event.reversed' OR target_currency <> currency OR is_dated_otherwise OR times > 1
UNION ALL
SELECT 'an invoice of several document dates', invoice_id, currency, CAST(0 AS DECIMAL(28,3)), false
FROM invoice_state
GROUP BY invoice_id, currency
HAVING count(*) > 1
UNION ALL
SELECT 'a transaction of several document dates', transaction_id, currency, CAST(0 AS DECIMAL(28,3)), false
FROM transaction_state
GROUP BY transaction_id, currency
HAVING count(*) > 1
UNION ALL
SELECT 'delivered after its period was closed', e.event_id, e.currency, CAST(0 AS DECIMAL(28,3)), false
FROM ledger_events e
JOIN (SELECT period, min(closed_at) AS closed_at FROM period_closes GROUP BY period) c
  ON c.period = date_format(e.effective_at, 'yyyy-MM') AND e.recorded_at <= c.closed_at AND e._extracted_at > c.closed_at
