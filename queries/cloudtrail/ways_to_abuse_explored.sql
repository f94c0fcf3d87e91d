-- title           = "Person asked what the account may send, compute or generate"
-- severity        = "medium"
-- tags            = ["attack.discovery", "attack.resource_development", "attack.t1526", "attack.t1580", "attack.t1496"]
-- remedy          = "Ask the owner of the key. Who found a key looks first whether it can send mail and messages, use models or start large instances: disable it if nobody can say."
-- false_positives = "Developers who try a service out; of models and quotas alone, after a sign-in through IAM Identity Center (low)."
SELECT userIdentity.arn AS who,
       count(DISTINCT eventName) AS apis,
       sample(eventName) AS calls,
       sample(awsRegion) AS regions,
       count(*) FILTER (WHERE errorCode IS NOT NULL) AS refused,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample(userIdentity.arn) AS resource,
       -- what who builds with models asks, after a sign-in through Identity Center; what may be sent, and who watches, is for others
       CASE WHEN count(*) FILTER (WHERE coalesce(userIdentity.sessionContext.sessionIssuer.arn, '') NOT LIKE '%AWSReservedSSO%'
                                        OR eventName NOT IN ('ListFoundationModels', 'ListInferenceProfiles', 'ListServiceQuotas', 'GetServiceQuota')) = 0 THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource IN ('ses.amazonaws.com', 'bedrock.amazonaws.com', 'servicequotas.amazonaws.com', 'sns.amazonaws.com', 'sms-voice.amazonaws.com')
  AND eventName IN ('GetSendQuota', 'ListFoundationModels', 'ListServiceQuotas', 'GetAccount', 'ListIdentities', 'GetAccountSendingEnabled', 'ListEmailIdentities', 'GetFoundationModelAvailability',
                      'GetModelInvocationLoggingConfiguration', 'GetUseCaseForModelAccess', 'ListInferenceProfiles', 'GetServiceQuota', 'GetSMSAttributes', 'GetSMSSandboxAccountStatus', 'DescribeAccountLimits', 'DescribeSpendLimits',
                      'ListOriginationNumbers', 'ListSMSSandboxPhoneNumbers', 'DescribePhoneNumbers', 'DescribeSenderIds', 'DescribeAccountAttributes')
  AND userIdentity.invokedBy IS NULL
  AND sessionCredentialFromConsole IS NOT TRUE
  AND coalesce(userAgent, '') NOT LIKE '%Terraform%'
  -- no pipeline asks so much at a command line
  AND (is_person()
       OR userAgent LIKE 'aws-cli/%'
       OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '10 minutes')
HAVING count(DISTINCT eventName) >= 3
