SELECT
  customer_id,
  valid_from AS in_force_since,
  records,
  conflicts,
  name, name_source, name_record, name_time, name_rule,
  email, email_source, email_record, email_time, email_rule,
  tax_id, tax_id_source, tax_id_record, tax_id_time, tax_id_rule,
  billing_status, billing_status_source, billing_status_record, billing_status_time, billing_status_rule,
  plan_tier, plan_tier_source, plan_tier_record, plan_tier_time, plan_tier_rule,
  subscription_state, subscription_state_source, subscription_state_record, subscription_state_time, subscription_state_rule,
  mrr_usd, mrr_usd_source, mrr_usd_record, mrr_usd_time, mrr_usd_rule,
  account_owner, account_owner_source, account_owner_record, account_owner_time, account_owner_rule,
  street, street_source, street_record, street_time, street_rule,
  city, city_source, city_record, city_time, city_rule,
  country, country_source, country_record, country_time, country_rule,
  customer_since, customer_since_source, customer_since_record, customer_since_time, customer_since_rule,
  CAST(pmod(crc32(customer_id), 8) AS INT) AS bucket
FROM customer_versions
WHERE is_current
