-- Every movement once: an invoice counts from its date, what was paid from the date of payment.
WITH movements AS (
  SELECT
    organization_id, organization_name, organization_currency AS currency, invoice_date AS balance_date,
    total_amount AS invoiced, CAST(0 AS DECIMAL(18,3)) AS paid
  FROM fct_invoices
  UNION ALL
  SELECT
    organization_id, organization_name, organization_currency, payment_date,
    CAST(0 AS DECIMAL(18,3)), payment_amount
  FROM fct_invoices
  WHERE payment_date IS NOT NULL
),
days AS (
  SELECT
    balance_date, organization_id,
    max(organization_name) AS organization_name, max(currency) AS currency,
    sum(invoiced) AS invoiced, sum(paid) AS paid
  FROM movements
  GROUP BY balance_date, organization_id
),
to_date AS (
  SELECT
    balance_date, organization_id, organization_name, currency,
    sum(invoiced) OVER (PARTITION BY organization_id ORDER BY balance_date) AS total,
    sum(paid) OVER (PARTITION BY organization_id ORDER BY balance_date) AS payment
  FROM days
)
SELECT
  balance_date, organization_id, organization_name, currency,
  CAST(total AS DECIMAL(18,3)) AS total_amount,
  CAST(payment AS DECIMAL(18,3)) AS payment_amount,
  CAST(total - payment AS DECIMAL(18,3)) AS balance_amount
FROM to_date
