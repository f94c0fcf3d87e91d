-- title           = "Password policy was read in the course of an inventory of IAM"
-- severity        = "low"
-- tags            = ["attack.discovery", "attack.t1201", "attack.t1087.004"]
-- remedy          = "Ask the principal which tool it ran. If nobody can say: disable its key or revoke its sessions, and watch for sign-ins that fail, since the policy says which passwords to guess."
-- false_positives = "Audit tools run by a person with a key of their own."
-- description     = "The policy, and three other lists of the whole account, in ten minutes. Terraform asks for single users and roles; the pages of the console make such calls by themselves and are left out."
SELECT userIdentity.arn AS who,
       count(DISTINCT eventName) AS kinds,
       sample(eventName) AS calls,
       count(*) FILTER (WHERE errorCode IS NOT NULL) AS refused,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       account AS resource,
       CASE WHEN count(*) FILTER (WHERE (userIdentity.accessKeyId LIKE 'AKIA%' OR userIdentity.type = 'FederatedUser') AND coalesce(userAgent, '') NOT LIKE '%Terraform%' OR NOT is_person()) > 0 THEN 'medium'
            ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('GetAccountPasswordPolicy', 'ListUsers', 'ListRoles', 'ListGroups', 'ListPolicies', 'GetAccountSummary', 'ListVirtualMFADevices', 'ListSAMLProviders',
                    'ListOpenIDConnectProviders', 'ListServerCertificates', 'ListInstanceProfiles', 'GetCredentialReport', 'GetAccountAuthorizationDetails')
  AND userIdentity.invokedBy IS NULL
  AND sessionCredentialFromConsole IS NOT TRUE
  -- no pipeline asks so much at a command line
  AND (is_person()
       OR userAgent LIKE 'aws-cli/%'
       OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '10 minutes')
HAVING count(*) FILTER (WHERE eventName = 'GetAccountPasswordPolicy') >= 1
   AND count(DISTINCT eventName) >= 4
