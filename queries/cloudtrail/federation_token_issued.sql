-- title           = "Federation token was issued to an IAM user"
-- severity        = "medium"
-- key             = ["account", "userIdentity.arn", "sourceIPAddress"]
-- dedupe          = "7d"
-- tags            = ["attack.persistence", "attack.defense_evasion", "attack.t1550.001", "attack.t1098.001", "attack.t1606"]
-- remedy          = "Ask the user whether they run a federation broker. If not: the token outlives its access key, so deny everything to the user (not only deactivate the key) until it has expired."
-- false_positives = "In-house brokers that sign people in to the console: one finding a week for each address of theirs."
SELECT eventTime,
       requestParameters ->> 'name' AS session,
       json_get_str(responseElements, 'credentials', 'accessKeyId') AS access_key,
       coalesce(requestParameters ->> 'policy', requestParameters ->> 'policyArns') AS session_policy,
       sourceIPAddress, userAgent,
       coalesce(json_get_str(responseElements, 'federatedUser', 'arn'), requestParameters ->> 'name') AS resource,
       CASE WHEN errorCode IS NULL THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'Federation token was issued to an IAM user'
            ELSE 'IAM user tried to get a federation token' END AS title
FROM cloudtrail
WHERE eventSource = 'sts.amazonaws.com'
  AND eventName = 'GetFederationToken'
  AND userIdentity.type = 'IAMUser'
