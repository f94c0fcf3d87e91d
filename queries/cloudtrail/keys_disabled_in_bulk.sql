-- title           = "Several KMS keys were disabled or scheduled for deletion by one principal"
-- severity        = "high"
-- tags            = ["attack.impact", "attack.t1485", "attack.t1486"]
-- remedy          = "CancelKeyDeletion and EnableKey for each key at once, then ask the principal; until it answers, deny kms:ScheduleKeyDeletion and kms:DisableKey to it."
-- false_positives = "A test environment that is torn down (medium by the role of a deployment with Terraform, and below ten keys)."
SELECT userIdentity.arn AS who,
       count(DISTINCT requestParameters ->> 'keyId') AS keys,
       sample(eventName) AS calls,
       sample(requestParameters ->> 'keyId') AS resource,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       CASE WHEN count(*) FILTER (WHERE NOT is_person() AND userIdentity.sessionContext.ec2RoleDelivery IS NULL
                                      AND userAgent LIKE '%Terraform%') = count(*) THEN 'medium'
            WHEN count(DISTINCT requestParameters ->> 'keyId') >= 10 OR count(*) FILTER (WHERE is_person()) > 0 THEN 'high' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'kms.amazonaws.com'
  AND eventName IN ('DisableKey', 'ScheduleKeyDeletion', 'DeleteImportedKeyMaterial')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')
HAVING count(DISTINCT requestParameters ->> 'keyId') >= 4
