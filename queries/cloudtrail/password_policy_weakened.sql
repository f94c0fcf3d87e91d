-- title    = "Password policy of the account was deleted or weakened"
-- severity = "medium"
-- tags     = ["attack.defense_evasion", "attack.persistence", "attack.t1556", "cis.1.8", "cis.1.9"]
-- remedy   = "Put the policy back (at least 14 characters, no reuse) and ask who changed it what it was for."
SELECT eventTime, eventName,
       json_get_int(requestParameters, 'minimumPasswordLength') AS minimum_length,
       json_get_int(requestParameters, 'passwordReusePrevention') AS reuse_prevention,
       sourceIPAddress, userAgent,
       account AS resource,
       CASE WHEN eventName = 'DeleteAccountPasswordPolicy' OR coalesce(json_get_int(requestParameters, 'minimumPasswordLength'), 6) < 8 THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('DeleteAccountPasswordPolicy', 'UpdateAccountPasswordPolicy')
  -- without a policy, or a length in it, six characters do
  AND coalesce(json_get_int(requestParameters, 'minimumPasswordLength'), 6) < 14
  AND errorCode IS NULL
