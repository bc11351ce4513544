-- A void invoice stays visible and owes nothing; a payment that was taken for it is a credit.
SELECT
  i.invoice_id,
  i.organization_id,
  o.name AS organization_name,
  i.invoice_date,
  trunc(i.invoice_date, 'MM') AS invoice_month,
  i.currency,
  o.currency AS organization_currency,
  i.status,
  i.amount,
  CAST(CASE WHEN i.status = 'void' THEN 0 ELSE i.amount END AS DECIMAL(18,3)) AS total_amount,
  i.payment_amount,
  i.payment_date,
  CAST(CASE WHEN i.status = 'void' THEN 0 ELSE i.amount END - i.payment_amount AS DECIMAL(18,3)) AS balance_amount,
  i.updated_at,
  i._batch_id AS batch_id
FROM stg_invoices i
LEFT JOIN stg_organizations o ON o.organization_id = i.organization_id
