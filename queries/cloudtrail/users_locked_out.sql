-- title           = "Several users lost their passwords, keys or themselves to one principal"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1531"]
-- remedy          = "Ask whoever it was; give the users back what they need if nobody can say, and revoke the sessions of the principal."
-- false_positives = "Somebody who tidies up users; several people who leave at once. Who gives each user a new key before is left out."
SELECT userIdentity.arn AS who,
       count(DISTINCT requestParameters ->> 'userName') FILTER (WHERE eventName <> 'CreateAccessKey') AS users,
       sample(requestParameters ->> 'userName') AS some_users,
       sample(eventName) FILTER (WHERE eventName <> 'CreateAccessKey') AS calls,
       sample(sourceIPAddress) AS addresses,
       sample('user/' || (requestParameters ->> 'userName')) AS resource
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('DeleteUser', 'DeleteLoginProfile', 'UpdateLoginProfile', 'DeleteAccessKey', 'UpdateAccessKey', 'CreateAccessKey')
  AND (eventName <> 'UpdateAccessKey' OR requestParameters ->> 'status' = 'Inactive')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND requestParameters ->> 'userName' IS DISTINCT FROM userIdentity.userName
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '15 minutes')
HAVING count(DISTINCT requestParameters ->> 'userName') FILTER (WHERE eventName <> 'CreateAccessKey') >= 5
   -- to whom keys were given in the same run, of these they were changed
   AND count(DISTINCT requestParameters ->> 'userName') FILTER (WHERE eventName <> 'CreateAccessKey')
       - count(DISTINCT requestParameters ->> 'userName') FILTER (WHERE eventName = 'CreateAccessKey') >= 3
