-- title           = "IAM policy got a new default version and was put back soon after"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.privilege_escalation", "attack.defense_evasion", "attack.t1098.003", "attack.t1548"]
-- remedy          = "Compare the versions (CloudTrail has the document of CreatePolicyVersion) and look at what those who hold the policy did between the two calls."
-- false_positives = "A change that did not work and was rolled back."
SELECT userIdentity.arn AS who,
       requestParameters ->> 'policyArn' AS resource,
       min(eventTime) FILTER (WHERE eventName = 'CreatePolicyVersion') AS changed,
       max(eventTime) FILTER (WHERE eventName = 'SetDefaultPolicyVersion') AS put_back,
       sample(requestParameters ->> 'policyDocument') FILTER (WHERE eventName = 'CreatePolicyVersion') AS document,
       sample(requestParameters ->> 'versionId') FILTER (WHERE eventName = 'SetDefaultPolicyVersion') AS version,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       CASE WHEN count(*) FILTER (WHERE eventName = 'DeletePolicyVersion') > 0 THEN 'high' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('CreatePolicyVersion', 'SetDefaultPolicyVersion', 'DeletePolicyVersion')
  AND errorCode IS NULL
  AND (eventName <> 'CreatePolicyVersion' OR requestParameters ->> 'setAsDefault' = 'true')
GROUP BY userIdentity.arn, account, requestParameters ->> 'policyArn', hop(eventTime, INTERVAL '30 minutes', INTERVAL '1 hour')
HAVING min(eventTime) FILTER (WHERE eventName = 'CreatePolicyVersion') < max(eventTime) FILTER (WHERE eventName = 'SetDefaultPolicyVersion')
