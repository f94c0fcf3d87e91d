-- title           = "Many secrets were read by one principal in a short time"
-- severity        = "medium"
-- dedupe          = "7d"
-- tags            = ["attack.credential_access", "attack.t1555.006"]
-- remedy          = "Ask the principal what it needed them for. If it cannot say: revoke its sessions, then rotate every secret in the list, production databases first."
-- false_positives = "Migrations; controllers that copy secrets into a cluster or a vault (medium, one finding a week): put their roles in the suppress list; servers that read theirs as they start (low), and Terraform (low by the role of a program)."
SELECT userIdentity.arn AS who,
       count(DISTINCT requestParameters ->> 'secretId') AS secrets,
       count(DISTINCT awsRegion) AS regions,
       sample(requestParameters ->> 'secretId') AS resource,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       -- anybody can say that he is Terraform, which knows the names of what it manages and lists none
       CASE WHEN count(*) FILTER (WHERE eventName = 'GetSecretValue'
                                      AND is_infrastructure_tool()) = count(*)
                 THEN CASE WHEN count(*) FILTER (WHERE is_person() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL) > 0 THEN 'medium' ELSE 'low' END
            WHEN count(DISTINCT requestParameters ->> 'secretId') FILTER (WHERE is_person()) >= 10 THEN 'high'
            -- an application knows the names of its secrets, an intruder asks for them first
            WHEN count(*) FILTER (WHERE eventName = 'ListSecrets') > 0 OR count(DISTINCT requestParameters ->> 'secretId') >= 40 THEN 'medium'
            WHEN count(DISTINCT requestParameters ->> 'secretId') FILTER (WHERE is_by_hand()) >= 10 THEN 'medium'
            ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'secretsmanager.amazonaws.com'
  AND eventName IN ('GetSecretValue', 'ListSecrets')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
-- what somebody reads with the credentials of a program is not folded into what that reads
GROUP BY userIdentity.arn, account, is_by_hand_or_script(), hop(eventTime, INTERVAL '5 minutes', INTERVAL '10 minutes')
HAVING count(DISTINCT requestParameters ->> 'secretId') >= 40
    OR count(DISTINCT requestParameters ->> 'secretId') >= 15 AND count(*) FILTER (WHERE eventName = 'ListSecrets') >= 1
    OR count(DISTINCT requestParameters ->> 'secretId') FILTER (WHERE is_by_hand() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL) >= 10
