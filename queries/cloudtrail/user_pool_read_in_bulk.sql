-- title           = "Users of a user pool were read by the page by a person"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.collection", "attack.t1213", "attack.discovery", "attack.t1087.004"]
-- remedy          = "Ask the person what the list was for. If nobody knows, treat names, addresses and telephone numbers of the users as lost."
-- false_positives = "A move to another pool; support that looks up many users with a tool."
SELECT userIdentity.arn AS who,
       count(*) AS calls,
       sample(requestParameters ->> 'userPoolId') AS resource,
       sample(eventName) AS some_calls,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses
FROM cloudtrail
WHERE eventSource = 'cognito-idp.amazonaws.com'
  AND eventName IN ('ListUsers', 'ListUsersInGroup', 'AdminGetUser', 'AdminListGroupsForUser')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND sessionCredentialFromConsole IS NOT TRUE
  AND NOT is_infrastructure_tool()
  AND (is_by_hand() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL AND eventName LIKE 'List%')
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '15 minutes')
HAVING count(*) >= 20
