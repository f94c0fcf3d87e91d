-- title           = "Many parameters were decrypted by one principal in a short time"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.credential_access", "attack.t1555.006"]
-- remedy          = "Ask the principal what it needed them for. If it cannot say: revoke its sessions and rotate what the parameters hold."
-- false_positives = "Developers who export the settings of their service; Terraform on a laptop, which asks for more than values (low)."
SELECT userIdentity.arn AS who,
       count(*) FILTER (WHERE requestParameters ->> 'withDecryption' = 'true') AS calls,
       count(DISTINCT coalesce(requestParameters ->> 'name', requestParameters ->> 'names', requestParameters ->> 'path')) AS different,
       sample(coalesce(requestParameters ->> 'name', requestParameters -> 'names' ->> 0, requestParameters ->> 'path')) AS resource,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       CASE WHEN count(*) FILTER (WHERE is_infrastructure_tool()) = count(*)
                 -- of each parameter that it manages it asks for more than the value
                 AND (count(*) FILTER (WHERE is_person()) = 0
                      OR 2 * count(*) FILTER (WHERE eventName IN ('DescribeParameters', 'ListTagsForResource')) >= count(*)) THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'ssm.amazonaws.com'
  AND eventName IN ('GetParameter', 'GetParameters', 'GetParametersByPath', 'DescribeParameters', 'ListTagsForResource')
  AND errorCode IS NULL
  AND (requestParameters ->> 'withDecryption' = 'true'
       OR eventName IN ('DescribeParameters', 'ListTagsForResource')
          AND is_infrastructure_tool()
          AND is_person()) -- equivalent: of programs it is not asked, and they would take room
  AND userIdentity.invokedBy IS NULL
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '10 minutes')
HAVING count(DISTINCT coalesce(requestParameters ->> 'name', requestParameters ->> 'names', requestParameters ->> 'path')) >= 80
    OR count(DISTINCT coalesce(requestParameters ->> 'name', requestParameters ->> 'names', requestParameters ->> 'path'))
         FILTER (WHERE is_by_hand() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL) >= 15
    OR count(*) FILTER (WHERE json_length(requestParameters, 'names') >= 5 AND is_by_hand()) >= 4
    OR count(*) FILTER (WHERE eventName = 'GetParametersByPath' AND is_by_hand()) >= 20
