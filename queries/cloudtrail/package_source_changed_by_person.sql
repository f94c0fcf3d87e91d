-- title           = "Person published a package, or changed where packages may come from, by hand"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.initial_access", "attack.persistence", "attack.t1195.001", "attack.t1195.002", "attack.t1554"]
-- remedy          = "Ask the person. If nobody can say: delete the version (DeletePackageVersions), put the origin or connection back, and find the builds that took it since."
-- false_positives = "Developers who publish by hand: low, unless it is with the key of a user."
-- description     = "Builds take packages from CodeArtifact without looking. A version that is published past the pipeline, an inner name that may come from outside, or a public registry behind a repository is code of a stranger in all that is built next."
SELECT eventTime,
       eventName,
       requestParameters ->> 'domain' AS domain,
       requestParameters ->> 'package' AS package,
       coalesce(requestParameters ->> 'packageVersion', requestParameters ->> 'restrictions', requestParameters ->> 'externalConnection') AS what,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'repository', requestParameters ->> 'domain') AS resource,
       CASE WHEN eventName = 'PublishPackageVersion' AND NOT (userIdentity.accessKeyId LIKE 'AKIA%' OR NOT is_person()) THEN 'low' ELSE 'medium' END AS severity,
       CASE WHEN eventName = 'PublishPackageVersion' THEN 'Person published a package by hand'
            ELSE 'Person changed by hand where packages of a repository may come from' END AS title
FROM cloudtrail
WHERE eventSource = 'codeartifact.amazonaws.com'
  AND eventName IN ('PublishPackageVersion', 'PutPackageOriginConfiguration', 'AssociateExternalConnection')
  AND (eventName <> 'PutPackageOriginConfiguration'
       OR requestParameters -> 'restrictions' ->> 'publish' = 'ALLOW'
          AND requestParameters -> 'restrictions' ->> 'upstream' = 'ALLOW')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
