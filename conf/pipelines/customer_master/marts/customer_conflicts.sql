-- One row per losing value of today's customers.
WITH lost AS (
  SELECT *, explode(from_json(losers, 'array<struct<field:string,value:string,source:string,record:string,time:string,lost_by:string>>')) AS loser
  FROM customer_versions
  WHERE is_current
)
SELECT
  customer_id,
  loser.field AS field,
  loser.source AS source,
  loser.record AS record,
  loser.value AS value,
  CAST(loser.time AS TIMESTAMP) AS value_time,
  loser.lost_by AS lost_by,
  CASE loser.field
    WHEN 'name' THEN CAST(name AS STRING)
    WHEN 'email' THEN CAST(email AS STRING)
    WHEN 'tax_id' THEN CAST(tax_id AS STRING)
    WHEN 'billing_status' THEN CAST(billing_status AS STRING)
    WHEN 'plan_tier' THEN CAST(plan_tier AS STRING)
    WHEN 'subscription_state' THEN CAST(subscription_state AS STRING)
    WHEN 'mrr_usd' THEN CAST(mrr_usd AS STRING)
    WHEN 'account_owner' THEN CAST(account_owner AS STRING)
    WHEN 'street' THEN CAST(street AS STRING)
    WHEN 'city' THEN CAST(city AS STRING)
    WHEN 'country' THEN CAST(country AS STRING)
    WHEN 'customer_since' THEN CAST(customer_since AS STRING)
  END AS surviving_value,
  CASE loser.field
    WHEN 'name' THEN name_source
    WHEN 'email' THEN email_source
    WHEN 'tax_id' THEN tax_id_source
    WHEN 'billing_status' THEN billing_status_source
    WHEN 'plan_tier' THEN plan_tier_source
    WHEN 'subscription_state' THEN subscription_state_source
    WHEN 'mrr_usd' THEN mrr_usd_source
    WHEN 'account_owner' THEN account_owner_source
    WHEN 'street' THEN street_source
    WHEN 'city' THEN city_source
    WHEN 'country' THEN country_source
    WHEN 'customer_since' THEN customer_since_source
  END AS surviving_source,
  CASE loser.field
    WHEN 'name' THEN name_record
    WHEN 'email' THEN email_record
    WHEN 'tax_id' THEN tax_id_record
    WHEN 'billing_status' THEN billing_status_record
    WHEN 'plan_tier' THEN plan_tier_record
    WHEN 'subscription_state' THEN subscription_state_record
    WHEN 'mrr_usd' THEN mrr_usd_record
    WHEN 'account_owner' THEN account_owner_record
    WHEN 'street' THEN street_record
    WHEN 'city' THEN city_record
    WHEN 'country' THEN country_record
    WHEN 'customer_since' THEN customer_since_record
  END AS surviving_record,
  CAST(pmod(crc32(customer_id), 8) AS INT) AS bucket
FROM lost
