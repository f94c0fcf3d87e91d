-- title           = "Glue data catalog was opened to principals outside the account"
-- severity        = "high"
-- confidence      = "high"
-- tags            = ["attack.exfiltration", "attack.t1537", "attack.collection", "attack.t1213"]
-- remedy          = "Restore the former resource policy (glue:PutResourcePolicy), then list who read the catalog and its tables since."
-- false_positives = "A data mesh that shares its catalog with known accounts."
SELECT 'arn:aws:glue:' || awsRegion || ':' || account || ':catalog' AS resource,
       requestParameters ->> 'policyInJson' AS policy,
       -- statements for the organization alone aside, is there one that lets in anybody, or another account?
       CASE WHEN regexp_like(requestParameters ->> 'policyInJson', '(?i)aws:PrincipalOrg[a-z]*"\s*:\s*(\[\s*)?"o-[a-z0-9]') AND NOT array_any_match(
                coalesce(json_get_array(without_own(requestParameters ->> 'policyInJson', account), 'Statement'),
                         make_array(json_get_json(without_own(requestParameters ->> 'policyInJson', account), 'Statement'))),
                s -> s ->> 'Effect' = 'Allow'
                     AND regexp_like(s ->> 'Principal', '^[*]$|"(AWS|[*])"\s*:\s*(\[[^\]]*)?"[*]"|"[0-9]{12}"|:(iam|sts)::[0-9]{12}:')
                     AND (NOT regexp_like(coalesce(s ->> 'Condition', ''), '(?i)aws:PrincipalOrg[a-z]*"\s*:\s*(\[\s*)?"o-[a-z0-9]')
                          OR regexp_like(s ->> 'Condition', '(?i)"[a-z:]*Not(Equals|Like)'))) THEN 'low'
            -- what a pipeline is made to do was read by somebody before; an account is not everybody
            WHEN (userIdentity.invokedBy = 'cloudformation.amazonaws.com'
                  OR NOT is_person() AND userIdentity.sessionContext.ec2RoleDelivery IS NULL
                     AND is_infrastructure_tool()) AND NOT regexp_like(requestParameters ->> 'policyInJson', '"[*]"|"NotPrincipal"') THEN 'medium'
            ELSE 'high' END AS severity,
       CASE WHEN regexp_like(requestParameters ->> 'policyInJson', '(?i)aws:PrincipalOrg[a-z]*"\s*:\s*(\[\s*)?"o-[a-z0-9]') AND NOT array_any_match(
                coalesce(json_get_array(without_own(requestParameters ->> 'policyInJson', account), 'Statement'),
                         make_array(json_get_json(without_own(requestParameters ->> 'policyInJson', account), 'Statement'))),
                s -> s ->> 'Effect' = 'Allow'
                     AND regexp_like(s ->> 'Principal', '^[*]$|"(AWS|[*])"\s*:\s*(\[[^\]]*)?"[*]"|"[0-9]{12}"|:(iam|sts)::[0-9]{12}:')
                     AND (NOT regexp_like(coalesce(s ->> 'Condition', ''), '(?i)aws:PrincipalOrg[a-z]*"\s*:\s*(\[\s*)?"o-[a-z0-9]')
                          OR regexp_like(s ->> 'Condition', '(?i)"[a-z:]*Not(Equals|Like)'))) THEN 'Glue data catalog was opened to the whole organization'
            ELSE 'Glue data catalog was opened to principals outside the account' END AS title
FROM cloudtrail
WHERE eventSource = 'glue.amazonaws.com'
  AND eventName = 'PutResourcePolicy'
  AND errorCode IS NULL
  AND requestParameters ->> 'policyInJson' LIKE '%"Allow"%'
  AND (regexp_like(requestParameters ->> 'policyInJson', '"(Principal|AWS)"\s*:\s*(\[[^\]]*)?"\*"|"NotPrincipal"')
    OR regexp_like(without_own(requestParameters ->> 'policyInJson', account), '"[0-9]{12}"|:(iam|sts)::[0-9]{12}:'))
