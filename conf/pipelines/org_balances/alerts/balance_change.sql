-- Compared is the latest day of the fact with the calendar day before it. A day without a row carries
-- the last known balance on; before its first row an organization owes nothing.
--   both zero             no finding
--   zero, then not zero   always a finding ("from zero"): no percentage exists
--   a change of sign      always a finding: what was owed to us is now owed by us, or the reverse
--   otherwise             a finding where |balance - previous| > 50% of |previous|; 50% itself is none
-- The latest day is none that lies ahead of what the export can know: one invoice dated into the
-- future would silence every day until then.
WITH latest AS (
  SELECT max(balance_date) AS day
  FROM fct_org_daily_balances
  WHERE balance_date <= (SELECT to_date(max(updated_at)) FROM fct_invoices)
),
previous AS (
  SELECT b.organization_id, max_by(b.balance_amount, b.balance_date) AS balance_amount
  FROM fct_org_daily_balances b
  JOIN latest l ON b.balance_date < l.day
  GROUP BY b.organization_id
),
compared AS (
  SELECT
    b.organization_id, b.organization_name, b.balance_date, b.currency, b.balance_amount,
    coalesce(p.balance_amount, CAST(0 AS DECIMAL(18,3))) AS previous_balance
  FROM fct_org_daily_balances b
  JOIN latest l ON b.balance_date = l.day
  LEFT JOIN previous p ON p.organization_id = b.organization_id
)
SELECT
  organization_id, organization_name, balance_date, currency, previous_balance, balance_amount,
  format_number(previous_balance, '#,##0.00#') AS previous_text,
  format_number(balance_amount, '#,##0.00#') AS balance_text,
  CASE
    WHEN previous_balance = 0 THEN 'moved from zero'
    WHEN sign(previous_balance) * sign(balance_amount) < 0 THEN 'changed its sign'
    ELSE concat(
      CASE WHEN abs(balance_amount) > abs(previous_balance) THEN 'grew by ' ELSE 'shrank by ' END,
      CAST(CAST(abs(balance_amount - previous_balance) * 100 / abs(previous_balance) AS DECIMAL(18,1)) AS STRING), '%'
    )
  END AS change
FROM compared
WHERE balance_amount <> previous_balance
  AND (
    previous_balance = 0
    OR sign(previous_balance) * sign(balance_amount) < 0
    OR abs(balance_amount - previous_balance) > 0.5 * abs(previous_balance)
  )
