SELECT
  o.organization_id,
  max(o.name) AS organization_name,
  max(o.country_code) AS country_code,
  max(o.currency) AS currency,
  max(o.created_at) AS created_at,
  count(i.invoice_id) AS total_invoices,
  count(CASE WHEN i.payment_amount > 0 THEN 1 END) AS total_payments,
  CAST(coalesce(sum(i.total_amount), 0) AS DECIMAL(18,3)) AS total_amount,
  CAST(coalesce(sum(i.payment_amount), 0) AS DECIMAL(18,3)) AS payment_amount,
  CAST(coalesce(sum(i.balance_amount), 0) AS DECIMAL(18,3)) AS balance_amount,
  min(i.invoice_date) AS first_invoice_date,
  max(i.payment_date) AS last_payment_date
FROM stg_organizations o
LEFT JOIN fct_invoices i ON i.organization_id = o.organization_id
GROUP BY o.organization_id
