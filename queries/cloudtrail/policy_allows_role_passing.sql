-- title           = "Policy was written by hand that lets its holder give any role to code"
-- severity        = "medium"
-- tags            = ["attack.privilege_escalation", "attack.t1098.003", "attack.t1548.005"]
-- remedy          = "Name the roles that may be passed in place of the star; until then the holder has the rights of every role of the account."
-- false_positives = "Roles of deployments."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'userName', requestParameters ->> 'roleName', requestParameters ->> 'groupName') AS written_to,
       requestParameters ->> 'policyDocument' AS document,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'policyArn', requestParameters ->> 'policyName') AS resource
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('CreatePolicy', 'CreatePolicyVersion', 'PutUserPolicy', 'PutRolePolicy', 'PutGroupPolicy')
  AND regexp_like(requestParameters ->> 'policyDocument', '(?i)"(lambda:([*]|create(function|[*]))|ec2:([*]|runinstances)|cloudformation:([*]|create(stack|[*]))|glue:([*]|create(job|devendpoint|[*]))|ecs:([*]|runtask|registertaskdefinition)|sagemaker:([*]|create)|codebuild:([*]|createproject|startbuild)|datapipeline:|states:([*]|createstatemachine))')
  AND array_any_match(
        coalesce(json_get_array(requestParameters ->> 'policyDocument', 'Statement'),
                 make_array(json_get_json(requestParameters ->> 'policyDocument', 'Statement'))),
        s -> s ->> 'Effect' = 'Allow'
             AND NOT json_contains(s, 'Condition')
             AND regexp_like(s ->> 'Resource', '(^|")([*]|arn:[a-z-]+:iam::[0-9*]*:role/[*])("|$)')
             -- the actions make a pattern, to see what they cover; of one that covers more, policy_allows_escalation tells
             AND regexp_like(' iam:passrole ', ' (' || replace(replace(replace(regexp_replace(lower(s ->> 'Action'), '[^a-z0-9:*?,-]', '', 'g'), ',', '|'), '?', '[a-z:]'), '*', '[a-z:]*') || ') ')
             AND NOT regexp_like(s ->> 'Action', '(^|")([*]|[^"]*:[*?]*[*])("|$)'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
