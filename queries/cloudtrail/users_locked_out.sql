-- title           = "Several users lost their passwords, keys or themselves to one principal"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1531"]
-- remedy          = "Ask whoever it was; give the users back what they need if nobody can say, and revoke the sessions of the principal."
-- false_positives = "Somebody who tidies up users; several people who leave at once."
SELECT userIdentity.arn AS who,
       count(DISTINCT requestParameters ->> 'userName') AS users,
       sample(requestParameters ->> 'userName') AS some_users,
       sample(eventName) AS calls,
       sample(sourceIPAddress) AS addresses,
       sample('user/' || (requestParameters ->> 'userName')) AS resource
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('DeleteUser', 'DeleteLoginProfile', 'UpdateLoginProfile', 'DeleteAccessKey', 'UpdateAccessKey')
  AND (eventName <> 'UpdateAccessKey' OR requestParameters ->> 'status' = 'Inactive')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND requestParameters ->> 'userName' IS DISTINCT FROM userIdentity.userName
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '15 minutes')
HAVING count(DISTINCT requestParameters ->> 'userName') >= 5
