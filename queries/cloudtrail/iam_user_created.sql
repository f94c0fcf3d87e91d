-- title    = "IAM user was created"
-- severity = "low"
-- tags     = ["attack.persistence", "attack.t1136.003", "cis.1.21"]
-- remedy   = "Check that the user belongs to a change you know; people should come through IAM Identity Center and machines through roles."
SELECT eventTime,
       requestParameters ->> 'userName' AS new_user,
       requestParameters ->> 'path' AS path,
       sourceIPAddress, userAgent,
       coalesce(json_get_str(responseElements, 'user', 'arn'), 'user/' || (requestParameters ->> 'userName')) AS resource,
       CASE WHEN is_by_hand_or_script()
                 AND userIdentity.invokedBy IS NULL
                 AND NOT is_infrastructure_tool() THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName = 'CreateUser'
  AND errorCode IS NULL
