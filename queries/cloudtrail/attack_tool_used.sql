-- title           = "Call was made with a tool of attackers or auditors"
-- severity        = "medium"
-- tags            = ["attack.resource_development", "attack.discovery", "attack.t1588.002", "attack.t1580"]
-- remedy          = "Ask your testers and auditors whether it was them. If not: disable the credentials and read everything they did."
-- confidence      = "low"
-- false_positives = "Ordered penetration tests and posture scans, which are most of these calls. What was done is told by the rules that name the deed, and ranks above this."
SELECT eventTime, eventSource, eventName, userAgent, sourceIPAddress, errorCode,
       coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS resource,
       CASE WHEN regexp_like(userAgent, '(?i)scoutsuite|prowler|steampipe|cloudsploit|cloudmapper') THEN 'low' ELSE 'medium' END AS severity,
       CASE WHEN regexp_like(userAgent, '(?i)scoutsuite|prowler|steampipe|cloudsploit|cloudmapper') THEN 'Call was made with a tool of auditors'
            ELSE 'Call was made with a tool of attackers' END AS title
FROM cloudtrail
WHERE regexp_like(userAgent, '(?i)stratus-red-team|\bpacu|\bkali([0-9]|\b)|\bparrot|\bpentoo|cloudfox|weirdaal|trufflehog|enumerate-iam|grimoire_|blackarch|peirates|quiet-?riot|s3scanner|awspx|scoutsuite|prowler|steampipe|cloudsploit|cloudmapper')
