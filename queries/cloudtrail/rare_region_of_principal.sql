-- title           = "Principal changed something in a Region that it and its account hardly ever use"
-- severity        = "low"
-- tags            = ["attack.defense_evasion", "attack.t1535"]
-- remedy          = "See what was made in the Region, and deny Regions that nobody uses with a service control policy."
-- false_positives = "An expansion to a new Region."
SELECT coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS actor,
       awsRegion AS changed_in,
       count(*) AS times
FROM cloudtrail
WHERE errorCode IS NULL
  AND NOT readOnly
  -- services that have one Region for all, whichever the caller is in
  AND NOT regexp_like(eventSource, '^(iam|sts|signin|organizations|account|cloudfront|route53|route53domains|globalaccelerator|shield|waf|budgets|ce|cur|billing.*|support|health|trustedadvisor|artifact|ecr-public|aws-marketplace|networkmanager)[.]')
GROUP BY account, coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), awsRegion, tumble(eventTime, INTERVAL '1 hour')
HAVING rare(awsRegion, 0.2)
